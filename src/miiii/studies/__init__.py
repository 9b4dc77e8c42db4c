"""Many runs: the paper's set of experiments, seeds, and searches over settings."""
