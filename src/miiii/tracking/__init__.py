"""A run's numbers to other tools, while it trains or afterwards."""
