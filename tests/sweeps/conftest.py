"""Servers that the tests of sweeps start for themselves."""

from postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]
