"""What the commands that look at a sweep share: opening it, and tables of text."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro
from rich.console import Console
from rich.table import Table

from miiii.figures.numerals import numeral
from miiii.sweeps.search.objectives import OBJECTIVES

if TYPE_CHECKING:
    from miiii.sweeps.outcome.results import SweepResults
    from miiii.sweeps.queue.sweep import Sweep

PIPE_WIDTH = 240
"""Columns of a table that nobody's terminal limits."""


@dataclass(frozen=True)
class SweepArguments:
    """A sweep, and where it is."""

    name: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the sweep."""
    storage: str = ""
    """Where the trials are kept; default: what the sweep's directory says."""
    sweeps_dir: Path = Path("sweeps")
    """The directory that holds the sweeps."""


def open_results(arguments: SweepArguments) -> "tuple[Sweep, SweepResults]":
    """The sweep, and its runs as they are now."""
    from miiii.sweeps.outcome.results import read_results
    from miiii.sweeps.queue.sweep import open_sweep

    sweep = open_sweep(arguments.name, arguments.sweeps_dir, arguments.storage)
    return sweep, read_results(sweep)


def where_option(arguments: SweepArguments) -> str:
    """The options by which the sweep is found again, with a space before."""
    default = arguments.sweeps_dir == Path("sweeps")
    return "" if default else f" --sweeps-dir {arguments.sweeps_dir}"


def setting_text(value: Any) -> str:
    """A setting's value as the paper prints numbers: 1/2, 256, 3e-4; at most four digits of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return numeral(float(f"{value:.4g}") if len(numeral(value)) > 6 else value)
    return str(value)


def values_text(results: "SweepResults", values: Sequence[float]) -> str:
    """Every objective with its value."""
    names = results.definition.objectives
    return ", ".join(f"{name} {value:.4g}" for name, value in zip(names, values, strict=True))


def direction_text(objective: str) -> str:
    """Which values are good."""
    smaller = OBJECTIVES[objective].direction == "minimize"
    return "smaller is better" if smaller else "larger is better"


WORDS = ("", "run", "state", "setting", "symbol", "differs also in", "point itself", "problem")
"""Heads of columns that hold words."""


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns on stdout.

    Args:
        head: of the columns; without any text there is no line for it.
        rows: of texts.
    """
    table = Table(box=None, pad_edge=False, show_header=any(head))
    for name in head:
        table.add_column(name, justify="left" if name in WORDS else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, emoji=False, width=PIPE_WIDTH)
        with console.capture() as captured:
            console.print(table)
        # In a pipe there is no width to fill up to.
        print("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))
        return
    console.print(table)


def csv_text(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Comma-separated values; numbers by their shortest text that reads back the same."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    return stream.getvalue()


def markdown_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of GitHub's Markdown."""
    rule = ["---" if name in WORDS else "---:" for name in head]
    lines = [[_escaped(cell) for cell in row] for row in (head, *rows)]
    lines.insert(1, rule)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_|\[\]<>])", r"\\\1", " ".join(text.split()))
