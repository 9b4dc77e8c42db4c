"""Gradient filters and optimisers, as optax transformations that work without the rest of miiii.

`grokfast.grokfast_ema` and `grokfast.grokfast_ma` may be chained in front of any optimiser.
This file imports nothing, so that `optim.config` can be imported without JAX.
"""
