"""Pictures with captions from runs, grouped like the paper's sections."""
