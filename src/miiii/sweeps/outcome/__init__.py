"""Results of a search: records of its runs, their ranking, the importance of settings."""
