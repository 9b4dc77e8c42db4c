"""Find files that can be deleted, and delete them. Nothing here imports JAX."""
