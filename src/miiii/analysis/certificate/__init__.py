"""Proofs that a model answers a task right on every number."""
