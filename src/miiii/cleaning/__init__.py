"""What could go from the disk, and its going. Nothing here imports JAX."""
