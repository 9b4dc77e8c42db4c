"""From measurements to evidence: one module per kind of claim."""
