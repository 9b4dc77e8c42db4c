"""The commands of `miiii sweep`."""
