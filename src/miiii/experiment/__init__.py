"""Making runs and opening them: batches, compiled programs, saving, start, resume."""
