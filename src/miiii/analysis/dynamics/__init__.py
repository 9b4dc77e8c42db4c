"""Quantities followed through training, snapshot by snapshot."""
