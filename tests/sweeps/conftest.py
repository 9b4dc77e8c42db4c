"""Servers that the tests of sweeps start for themselves."""

from postgres import postgres_server, postgres_url
from slurm import slurm_cluster

__all__ = ["postgres_server", "postgres_url", "slurm_cluster"]
