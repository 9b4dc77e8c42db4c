"""Workers as jobs of a cluster or of this machine."""
