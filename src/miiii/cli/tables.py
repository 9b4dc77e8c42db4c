"""Tables of all commands: for the terminal, as CSV and as Markdown."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from miiii.cli.checks import only_one
from miiii.cli.console import print_out
from miiii.markup import csv_text, markdown, markdown_table

FORMS = ("json", "csv", "markdown")
"""Forms of output other than text; each is an option."""
WORDS = frozenset(
    (
        *("", "run", "state", "setting", "symbol", "differs also in", "point itself", "problem"),
        *("kind", "where", "what", "what it is", "afterwards", "experiment", "verdict", "saved"),
    )
)
"""Heads of columns that hold words and are aligned left. All others hold numbers."""


@dataclass(frozen=True)
class Column:
    """One column of a table of records."""

    name: str
    """The records' key, and the head of the column in CSV."""
    text: Callable[[Any], str] = str
    """Formats a value other than None in a text or Markdown table."""
    head: str = ""
    """The head in a text or Markdown table; empty: the name."""
    shown: bool = True
    """Whether text and Markdown tables have the column."""


def chosen_form(arguments: Any) -> str:
    """The one of `FORMS` that was asked for, or "text".

    Raises:
        UsageError: more than one was given.
    """
    return only_one(arguments, *FORMS) or "text"


def print_records(
    columns: Sequence[Column], records: Sequence[Mapping[str, Any]], form: str
) -> None:
    """Print a row per record on stdout, as "text", "csv" or "markdown"."""
    if form == "csv":
        rows = [[record[column.name] for column in columns] for record in records]
        print(csv_text([column.name for column in columns], rows), end="")
        return
    seen = [column for column in columns if column.shown]
    cells = [
        ["-" if (value := record[column.name]) is None else column.text(value) for column in seen]
        for record in records
    ]
    print_table([column.head or column.name for column in seen], cells, form)


def print_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    form: str = "text",
    *,
    whole: Collection[str] = (),
    words: Collection[str] = (),
) -> None:
    """Print a table of texts on stdout.

    Args:
        head: of the columns; if all are empty there is no line for them.
        rows: of cells.
        form: "text" or "markdown".
        whole: heads of columns that are never wrapped, such as names that users copy.
        words: heads of columns that hold words in this table, beside `WORDS`.
    """
    left = {*WORDS, *words}
    if form == "markdown":
        cells = [[markdown(cell) for cell in row] for row in (head, *rows)]
        right = [markdown(name) for name in head if name not in left]
        print("\n".join(markdown_table(cells[0], cells[1:], right)))
        return
    table = Table(box=None, pad_edge=False, show_header=any(head))
    for name in head:
        justify = "left" if name in left else "right"
        table.add_column(name, justify=justify, no_wrap=name in whole, overflow="fold")
    for row in rows:
        table.add_row(*row)
    print_out(table)
