"""What a search found: records, ranking, importance of settings."""
