"""Pure training: state, loss, step, a chunk of epochs, measurements. No disk, no printing.

This file imports nothing, so that `training.config` can be imported without JAX.
"""
