"""Functions of a number as sums of waves: on the grid, on the number line, on each digit."""
