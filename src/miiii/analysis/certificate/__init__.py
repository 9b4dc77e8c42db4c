"""A proof of which tasks a model answers right on every number."""
