"""Searches over settings: an Optuna study, and workers that train its trials as runs."""
