"""A page on this machine alone that shows runs and studies while they go on. Without JAX."""
