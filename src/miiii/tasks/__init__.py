"""The tasks: numbers and digits, primes, targets, splits.

`config` has a task's settings; `dataset.build_dataset` makes its numbers, targets and split.
No file here imports JAX, so that a task can be checked without a compiler.
"""
