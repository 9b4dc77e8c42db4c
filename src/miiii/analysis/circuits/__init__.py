"""The neurons and harmonics that serve each task, and each task's loss without them."""
