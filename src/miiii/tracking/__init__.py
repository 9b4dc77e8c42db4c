"""Hand a run's numbers to other tools, while the run trains or afterwards."""
