"""Workers of a sweep as jobs on a cluster or on this machine."""
