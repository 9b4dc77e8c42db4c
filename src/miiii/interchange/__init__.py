"""Exchange with other tools.

`exports` writes runs in their formats, `imports` makes runs of their models, and `names` translates
weights' names for both.
"""
