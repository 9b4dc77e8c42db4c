"""Tables of settings (paper Tables 1 and 2) as Markdown, LaTeX and CSV."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from miiii.figures.numerals import latex_numeral, numeral, plain
from miiii.markup import csv_text, markdown, markdown_table

MARK = "*"
"""Beside a value that is not in the search space."""

_GREEK = {"λ": r"\lambda", "α": r"\alpha", "β": r"\beta"}
_LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


@dataclass(frozen=True)
class Row:
    """One row: a label, and the values of each setting."""

    label: str
    """Empty in tables of one row."""
    values: tuple[tuple[float, ...], ...]
    """Per column, in order; usually one each."""
    outside: tuple[str, ...] = ()
    """Fields whose value is not in the search space."""


@dataclass(frozen=True)
class Table:
    """A table of settings.

    Attributes:
        caption: one sentence.
        fields: the settings' names in the configuration, one per column.
        symbols: heads of the columns.
        rows: from top to bottom.
        note: below the table; empty for none.
    """

    caption: str
    fields: tuple[str, ...]
    symbols: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


def search_space_table(
    values: Mapping[str, Sequence[float]], symbols: Mapping[str, str], *, caption: str = ""
) -> Table:
    """Paper Table 1: the values of every setting in the search space.

    Args:
        values: field to values, as in `SearchSpace.values` of `sweeps.search.spaces`.
        symbols: field to the paper's name for it.
        caption: default: the number of points.

    Raises:
        ValueError: there is no field, or one without a symbol.
    """
    size = math.prod(len(each) for each in values.values())
    return Table(
        caption=caption or f"Hyperparameter search space: {size:,} points.",
        fields=tuple(values),
        symbols=_symbols(values, symbols),
        rows=(Row("", tuple(tuple(each) for each in values.values())),),
    )


def settings_table(
    settings: Mapping[str, Mapping[str, float]],
    values: Mapping[str, Sequence[float]],
    symbols: Mapping[str, str],
    *,
    caption: str = "Result of the hyperparameter search.",
) -> Table:
    """Paper Table 2: rows of settings; values outside Table 1 are marked.

    Args:
        settings: name of a row to its settings, field to value: the user's, and the paper's
            (`TABLE_2` of `sweeps.search.spaces`).
        values: field to its values in the search space.
        symbols: field to the paper's name for it.
        caption: one sentence.

    Raises:
        ValueError: there is no row or no field, or a row or the symbols lack a field.
    """
    if not settings:
        raise ValueError("settings are empty: expected at least one row")
    rows = []
    for label, row in settings.items():
        missing = [field for field in values if field not in row]
        if missing:
            raise ValueError(
                f"settings of {label!r} lack {', '.join(missing)}: expected {', '.join(values)}"
            )
        outside = tuple(field for field, tried in values.items() if row[field] not in tried)
        rows.append(Row(label, tuple((row[field],) for field in values), outside))
    marked = any(row.outside for row in rows)
    return Table(
        caption=caption,
        fields=tuple(values),
        symbols=_symbols(values, symbols),
        rows=tuple(rows),
        note="not in the search space of Table 1" if marked else "",
    )


def to_markdown(table: Table) -> str:
    """The table as GitHub's Markdown."""
    rows = []
    for row in table.rows:
        cells = [
            ", ".join(map(numeral, values)) + (f"\\{MARK}" if field in row.outside else "")
            for field, values in zip(table.fields, row.values, strict=True)
        ]
        rows.append([markdown(row.label), *cells])
    head, *rows = _columns([["", *map(markdown, table.symbols)], *rows], table)
    parts = [markdown(table.caption), "\n".join(markdown_table(head, rows))]
    if table.note:
        parts.append(f"\\{MARK} {markdown(table.note)}")
    return "\n\n".join(parts) + "\n"


def to_latex(table: Table) -> str:
    """The table as a LaTeX float; needs the package booktabs."""
    heads = [_latex_symbol(symbol) for symbol in table.symbols]
    body = []
    for row in table.rows:
        cells = [
            "$" + ", ".join(map(latex_numeral, values)) + ("^{*}$" if field in row.outside else "$")
            for field, values in zip(table.fields, row.values, strict=True)
        ]
        body.append([_latex_text(row.label), *cells])
    lines = _columns([["", *heads], *body], table)
    written_lines = [" & ".join(line) + r" \\" for line in lines]
    columns = "l" * (len(lines[0]) - len(heads)) + "c" * len(heads)
    parts = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex_text(table.caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        written_lines[0],
        r"\midrule",
        *written_lines[1:],
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if table.note:
        parts += ["", rf"\smallskip {{\small ${{}}^{{*}}$ {_latex_text(table.note)}}}"]
    return "\n".join([*parts, r"\end{table}"]) + "\n"


def to_csv(table: Table) -> str:
    """The table as CSV, one line per value.

    Columns: row, field, symbol, value (the shortest text that reads back to the same number) and
    in_search_space (true or false).
    """
    lines = [
        [row.label, field, symbol, plain(value), "false" if field in row.outside else "true"]
        for row in table.rows
        for field, symbol, values in zip(table.fields, table.symbols, row.values, strict=True)
        for value in values
    ]
    return csv_text(["row", "field", "symbol", "value", "in_search_space"], lines)


def _symbols(fields: Iterable[str], symbols: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(fields)
    if not names:
        raise ValueError("values are empty: expected at least one field")
    missing = [name for name in names if name not in symbols]
    if missing:
        raise ValueError(f"symbols lack {', '.join(missing)}: expected {', '.join(names)}")
    return tuple(symbols[name] for name in names)


def _columns(lines: list[list[str]], table: Table) -> list[list[str]]:
    """The lines, without the column of labels if all labels are empty."""
    labelled = any(row.label for row in table.rows)
    return lines if labelled else [line[1:] for line in lines]


def _latex_text(text: str) -> str:
    escaped = "".join(_LATEX_SIGNS.get(sign, sign) for sign in " ".join(text.split()))
    return re.sub("[λαβ]", lambda found: f"${_GREEK[found.group()]}$", escaped)


def _latex_symbol(symbol: str) -> str:
    """A symbol for LaTeX; single letters are variables and set in italics."""
    return f"${_GREEK.get(symbol, symbol)}$" if len(symbol) == 1 else _latex_text(symbol)
