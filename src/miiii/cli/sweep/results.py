"""The commands that look at a sweep: `miiii sweep status`, `best`, `table` and `plot`."""

from miiii.cli.sweep.best import best as best
from miiii.cli.sweep.plot import plot as plot
from miiii.cli.sweep.status import status as status
from miiii.cli.sweep.table import table as table
