"""Definition of a search: its space, sampling, objectives and pruning."""
