"""Runs in other tools' formats."""
