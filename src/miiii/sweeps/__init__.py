"""Searches over settings: an Optuna study whose trials workers train as runs."""
