"""Gradient filters and optimisers, as optax transformations that work without the rest of miiii.

`grokfast.grokfast_ema` and `grokfast.grokfast_ma` may be chained in front of any optimiser.
This package imports nothing by itself, so that `optim.config` can be had without JAX.
"""
