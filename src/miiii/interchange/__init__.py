"""Doors to other tools: runs written in their formats, and their models read as runs.

Out: `exports`. In: `imports`. Both: `names`, what TransformerLens calls our weights.
"""
