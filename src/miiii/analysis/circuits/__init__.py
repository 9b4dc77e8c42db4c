"""Which neurons and harmonics serve which task, and what a task loses without them."""
