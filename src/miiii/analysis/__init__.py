"""Analysis of a trained model: parameters in, frozen records of results out.

Shapes as in `model`: H head, D width, F neuron, p the base. Also K, the frequencies of p points,
⌊p/2⌋ + 1 with the constant; a frequency k is k cycles per p digits. R is a random draw, S a
snapshot. All mathematics is NumPy's in float64; dropout is always off.
"""
