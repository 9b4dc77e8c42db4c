"""A local web page that shows runs and studies while they train. Nothing here imports JAX."""
