"""What is searched: spaces, how points are drawn, what is measured, when a run is pruned."""
