"""Display of progress in a terminal: of a run and of a study."""
