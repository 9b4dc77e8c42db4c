"""Tables as HTML for a notebook (every text escaped), as Markdown and as CSV."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Sequence
from html import escape

_CELL = "text-align:left;vertical-align:top;padding:0.1em 0.8em 0.1em 0"


def text(value: object) -> str:
    """Any value as text, escaped for HTML."""
    return escape(str(value), quote=True)


def heading(words: object, more: object = "") -> str:
    """HTML of a line in bold, followed by `more` in grey."""
    grey = f' <span style="opacity:0.7">{text(more)}</span>' if str(more) else ""
    return f"<div><strong>{text(words)}</strong>{grey}</div>"


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], bold: frozenset[int] = frozenset()
) -> str:
    """HTML of a table.

    Args:
        head: [C], the columns' names.
        rows: each [C].
        bold: indices of rows in bold.

    Raises:
        ValueError: a row has another number of cells than the head.
    """
    body = []
    for index, row in enumerate(rows):
        if len(row) != len(head):
            raise ValueError(f"row {index} has {len(row)} cells: expected {len(head)}")
        weight = ";font-weight:bold" if index in bold else ""
        cells = "".join(f'<td style="{_CELL}{weight}">{text(cell)}</td>' for cell in row)
        body.append(f"<tr>{cells}</tr>")
    names = "".join(f'<th style="{_CELL}">{text(name)}</th>' for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def folded(summary: str, inside: str) -> str:
    """HTML that shows `inside`, itself HTML, when its summary is clicked."""
    return f"<details><summary>{text(summary)}</summary>{inside}</details>"


def csv_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as comma-separated values.

    Args:
        head: the columns' names.
        rows: of values; None becomes an empty cell, a number the shortest text that reads back
            the same.
    """
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([head, *rows])
    return stream.getvalue()


def markdown(words: str) -> str:
    """A text as one line, escaped for GitHub's Markdown."""
    return re.sub(r"([\\`*_|\[\]<>])", r"\\\1", " ".join(words.split()))


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()
) -> list[str]:
    """The lines of a table in GitHub's Markdown.

    Args:
        head: the columns' names.
        rows: of cells in Markdown; bars in them are escaped here.
        right: names of columns that are aligned right.
    """
    lines = [
        "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row) + " |"
        for row in (head, *rows)
    ]
    lines.insert(1, "|" + "".join("---:|" if name in right else "---|" for name in head))
    return lines
