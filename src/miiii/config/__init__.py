"""Settings in one record, presets, further experiments, a user's labels and split. No JAX."""
