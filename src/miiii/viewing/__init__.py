"""A page, for this machine only, that shows runs and studies while they go on. Without JAX."""
