"""Taking a trained model apart: parameters in, frozen records of results out.

Shapes as in `model`: H head, D width, F neuron, p the base. Here also K, the frequencies that p
samples can tell apart, ⌊p/2⌋ + 1 with the constant; a frequency k is k cycles per p digits. R is a
random draw, S a snapshot. The mathematics is NumPy's in float64; dropout is always off.
"""
