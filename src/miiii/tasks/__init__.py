"""Integers only: numbers and digits, primes, targets, splits.

`config` names a task, `dataset.build_dataset` makes its numbers, targets and split.
Nothing here imports JAX, so a task can be checked without an accelerator or a compiler.
"""
