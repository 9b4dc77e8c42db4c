"""Measurements, side by side in one process and printed as ratios: `python -m benchmarks`."""
