"""Settings: one record of them all, presets, the further work's variations, a user's labels.

Nothing here imports JAX.
"""
