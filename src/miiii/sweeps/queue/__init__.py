"""Trials in shared storage, and workers that train them."""
