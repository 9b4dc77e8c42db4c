"""Progress on the screen, of a run and of a study."""
