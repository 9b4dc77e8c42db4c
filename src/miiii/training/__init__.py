"""Pure training: state, loss, step, a chunk of epochs, measurements. No disk, no printing.

This package imports nothing by itself, so that `training.config` can be had without JAX.
"""
