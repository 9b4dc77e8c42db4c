"""Trials in shared storage, and the workers that train them."""
