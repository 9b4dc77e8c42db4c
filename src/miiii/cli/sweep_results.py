"""The commands that look at a sweep: `miiii sweep status`, `best`, `table` and `plot`."""

from miiii.cli.sweep_best import best as best
from miiii.cli.sweep_plot import plot as plot
from miiii.cli.sweep_status import status as status
from miiii.cli.sweep_table import table as table
