"""The disk: run directories, checkpoints, snapshots, history, provenance.

A run is one directory; every file in it is written under a temporary name and renamed, so a
process killed at any moment leaves a directory that loads. Import from the concrete modules, most
often `miiii.runs.directory`. This room needs NumPy, safetensors and filelock, never JAX.
"""
