"""Tables of every command: for people, as CSV and as Markdown."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from miiii.cli.checks import only_one
from miiii.cli.console import print_out
from miiii.markup import csv_text, markdown, markdown_table

FORMS = ("json", "csv", "markdown")
"""Beside text; each is an option."""
WORDS = frozenset(
    (
        *("", "run", "state", "setting", "symbol", "differs also in", "point itself", "problem"),
        *("kind", "where", "what", "what it is", "afterwards", "experiment", "verdict", "saved"),
    )
)
"""Heads of columns that hold words, which stand flush left. All others hold numbers."""


@dataclass(frozen=True)
class Column:
    """One column of a table of records."""

    name: str
    """The records' key, and the head of the column in CSV."""
    text: Callable[[Any], str] = str
    """A value for people; None is a dash."""
    head: str = ""
    """For people; empty: the name."""
    shown: bool = True
    """Whether people see it at all."""


def chosen_form(arguments: Any) -> str:
    """Which of `FORMS` was asked for, or "text".

    Raises:
        UsageError: more than one was.
    """
    return only_one(arguments, *FORMS) or "text"


def print_records(
    columns: Sequence[Column], records: Sequence[Mapping[str, Any]], form: str
) -> None:
    """A row per record on stdout, as "text", "csv" or "markdown"."""
    if form == "csv":
        rows = [[record[column.name] for column in columns] for record in records]
        print(csv_text([column.name for column in columns], rows), end="")
        return
    seen = [column for column in columns if column.shown]
    cells = [
        [
            "-" if record[column.name] is None else column.text(record[column.name])
            for column in seen
        ]
        for record in records
    ]
    print_table([column.head or column.name for column in seen], cells, form)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], form: str = "text") -> None:
    """A table of texts on stdout, as text or as Markdown."""
    if form == "text":
        print_out(text_table(head, rows))
        return
    cells = [[markdown(cell) for cell in row] for row in (head, *rows)]
    right = [markdown(name) for name in head if name not in WORDS]
    print("\n".join(markdown_table(cells[0], cells[1:], right)))


def text_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    whole: Collection[str] = (),
    words: Collection[str] = (),
) -> Table:
    """A table for a terminal.

    Args:
        head: of the columns; without any text there is no line for it.
        rows: of texts.
        whole: heads of columns that are never wrapped, such as names that one copies.
        words: heads of columns that hold words here, beside `WORDS`.
    """
    table = Table(box=None, pad_edge=False, show_header=any(head))
    for name in head:
        left = name in WORDS or name in words
        justify = "left" if left else "right"
        table.add_column(name, justify=justify, no_wrap=name in whole, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
