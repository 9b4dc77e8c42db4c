"""The transformer: its configuration, parameters, initialisation and forward pass.

Shapes, here and everywhere: B sample, T position (3: x0, x1, answer), D width, H head,
K head width, F neuron, N task, V class (all tasks' classes side by side), p the base.
This file imports nothing, so that `model.config` can be imported without JAX.
"""
