"""Studies: the paper's experiments with several seeds, trained as one set of runs."""
