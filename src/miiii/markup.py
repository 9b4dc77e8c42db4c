"""Records as HTML for a notebook: tables whose every text is escaped."""

from collections.abc import Iterable, Sequence
from html import escape

_CELL = "text-align:left;vertical-align:top;padding:0.1em 0.8em 0.1em 0"


def text(value: object) -> str:
    """Any value as text that means itself in HTML."""
    return escape(str(value), quote=True)


def heading(words: object, more: object = "") -> str:
    """A line in bold, and what stands behind it in grey."""
    grey = f' <span style="opacity:0.7">{text(more)}</span>' if str(more) else ""
    return f"<div><strong>{text(words)}</strong>{grey}</div>"


def table(
    head: Sequence[str], rows: Iterable[Sequence[object]], bold: frozenset[int] = frozenset()
) -> str:
    """A table of texts.

    Args:
        head: [C], the columns' names.
        rows: each [C].
        bold: indices of rows that stand out.

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
    """What is shown when its summary is clicked; `inside` is HTML already."""
    return f"<details><summary>{text(summary)}</summary>{inside}</details>"
