"""`miiii sweep table`: all runs of a sweep, or the paper's Tables 1 and 2 filled in."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from miiii.cli.arguments import UsageError, parse
from miiii.cli.sweep.text import (
    SweepArguments,
    absent_runs,
    direction_text,
    four_digits,
    missing_line,
    named,
    open_results,
    setting_text,
    where_option,
)
from miiii.cli.tables import Column, chosen_form, print_records, print_table
from miiii.cli.text import counted, shown
from miiii.markup import csv_text
from miiii.refusals import unknown_name
from miiii.runs.text import percent

if TYPE_CHECKING:
    from miiii.sweeps.outcome.hyperparameters import ChosenRow
    from miiii.sweeps.outcome.results import RunRecord, SweepResults

MARK = "*"
"""Marks a value that the sweep did not try."""
KINDS = ("best", "median")
"""Statistics of every objective in Table 1."""


@dataclass(frozen=True)
class TableArguments(SweepArguments):
    """List every run with its settings, values, state, epochs, seconds and attempts."""

    paper: bool = False
    """Instead print the paper's tables filled in: per setting and value the number of runs and
    their results (Table 1), and the best settings beside the paper's (Table 2)."""
    sort: str = ""
    """The column to sort by; default: the first objective, best first. Runs without a value come
    last."""
    descending: bool = False
    """Sort the largest first."""
    csv: bool = False
    """Print comma-separated values on stdout."""
    markdown: bool = False
    """Print Markdown on stdout."""
    json: bool = False
    """Print JSON on stdout."""


def table(words: list[str]) -> int:
    """Run `miiii sweep table`; returns the exit code."""
    arguments = parse(TableArguments, words, "miiii sweep table")
    form = chosen_form(arguments)
    if arguments.paper and (arguments.sort or arguments.descending):
        raise UsageError("--sort and --descending go with the table of runs, not with --paper")
    sweep, results = open_results(arguments)
    if arguments.paper:
        _print_paper(results, form)
    else:
        _print_runs(results, form, arguments.sort, arguments.descending)
    if form == "text":
        absent = absent_runs(sweep, results)
        if missing := missing_line(results, where_option(arguments)):
            print(f"\n{missing}")
        if absent:
            print(
                f"{len(absent):,} of {len(results.done):,} done runs have no weights in "
                f"{sweep.runs_dir}: they were trained elsewhere"
            )
    return 0


def _print_runs(results: "SweepResults", form: str, sort: str, descending: bool) -> None:
    columns = _columns(results)
    rows = [_row(results, run) for run in _sorted(results, sort, descending)]
    if form == "json":
        print(json.dumps({"sweep": results.name, "runs": rows}, indent=2))
        return
    print_records(columns, rows, form)
    if form == "text" and not rows:
        print("no run was made")
    if form != "csv" and (note := _followed(results)):
        print(f"\n{note}")


def _columns(results: "SweepResults") -> list[Column]:
    return [
        Column("run"),
        Column("state"),
        *(Column(name, setting_text) for name in results.settings),
        *(Column(name, four_digits) for name in results.definition.objectives),
        Column("epochs_trained", head="trained"),
        Column("seconds", "{:,.1f}".format),
        Column("attempts"),
        *(Column(name, shown=False) for name in ("accuracy", "solved", "ended")),
        Column("problem", shown=any(run.problem for run in results.runs)),
    ]


def _row(results: "SweepResults", run: "RunRecord") -> dict[str, Any]:
    """The cells of a run by column; None for a missing value."""
    objectives = results.definition.objectives
    return {
        "run": run.run,
        "state": run.state,
        **{name: run.params.get(name) for name in results.settings},
        **(named(results, run.values) or dict.fromkeys(objectives)),
        "epochs_trained": run.epochs,
        "seconds": run.seconds,
        "attempts": run.attempts,
        "accuracy": run.accuracy,
        "solved": run.solved,
        "ended": run.ended.isoformat(timespec="seconds") if run.ended else None,
        "problem": run.problem,
    }


def _sorted(results: "SweepResults", sort: str, descending: bool) -> "list[RunRecord]":
    from miiii.sweeps.outcome.results import STATES

    runs = list(results.runs)
    known = [column.name for column in _columns(results)]
    if not sort:
        from miiii.sweeps.outcome.ranking import ranked

        best = ranked(results)
        rest = sorted(
            (run for run in runs if run.values is None), key=lambda run: STATES.index(run.state)
        )
        return [*reversed(best), *rest] if descending else [*best, *rest]
    if sort not in known:
        raise UsageError(f"--sort: {unknown_name('column', sort, known)}")
    cells = {run.run: _row(results, run)[sort] for run in runs}
    empty = [run for run in runs if cells[run.run] in (None, "")]
    full = [run for run in runs if cells[run.run] not in (None, "")]

    def key(run: "RunRecord") -> Any:
        value = cells[run.run]
        # Texts after numbers, where a setting has both.
        return (isinstance(value, str), value)

    return [*sorted(full, key=key, reverse=descending), *empty]


def _print_paper(results: "SweepResults", form: str) -> None:
    record = _paper_record(results)
    if form == "json":
        print(json.dumps(record, indent=2))
        return
    if form == "csv":
        print(_paper_csv(results, record), end="")
        return
    space, chosen, remark = record["table_1"], record["table_2"], record["remark"]
    objectives, markdown = results.definition.objectives, form == "markdown"
    directions = "; ".join(f"{name}: {direction_text(name)}" for name in objectives)
    first = f"Table 1. The search space of {results.name}, filled with {_done(results)}."
    second = "Table 2. The best setting" + (", beside the paper's." if len(chosen) > 1 else ".")
    print(f"{first} {directions}.\n" if markdown else f"{first}\n{directions}\n")
    heads = [f"{kind} {name}" for name in objectives for kind in KINDS]
    cells = [
        [row["setting"], row["symbol"], _value_text(row), str(row["runs"]), *_texts(each)]
        for row, each in ((row, _best_and_median(results, row)) for row in space)
    ]
    print_table(["setting", "symbol", "value", "runs", *heads], cells, form)
    print(f"\n{second}\n")
    symbols = {row["setting"]: row["symbol"] for row in space}
    cells = []
    for row in chosen:
        values = row["values"] or dict.fromkeys(objectives)
        settings = [
            setting_text(value) + MARK * (name in row["outside"])
            for name, value in row["params"].items()
        ]
        cells.append([row["row"], *settings, *_texts(values.values())])
    print_table(["", *(symbols[name] for name in results.settings), *objectives], cells, form)
    notes = [] if results.done or markdown else ["no run is done yet"]
    notes += [f"\\{MARK} {remark}" if markdown else f"{MARK} {remark}"] if remark else []
    notes += [note] if (note := _followed(results)) else []
    for note in notes:
        print(f"\n{note}")


def _followed(results: "SweepResults") -> str:
    """A note on the counts of runs, if the sampler followed results; else empty."""
    from miiii.sweeps.outcome.importance import LEAST_RUNS, follows_results, importances

    if not results.done or not follows_results(results):
        return ""
    note = (
        "The sampler followed the results and placed its runs where earlier ones were good: the "
        "number of runs with a value says little about its merit."
    )
    for place, objective in enumerate(results.definition.objectives):
        try:
            found = importances(results, place)
        except ValueError:
            return f"{note} Shares of the variance take {LEAST_RUNS} runs that are done and differ."
        shares = ", ".join(f"{each.setting} {percent(each.variance)}" for each in found.settings)
        note += f" Share of the variance of {objective}: {shares}."
    return note


def _done(results: "SweepResults") -> str:
    done, space = len(results.done), results.definition.space
    if results.definition.sampler == "grid" and space is not None:
        return f"{done:,} of its {space.size:,} points"
    return counted(done, "run")


def _remark(results: "SweepResults", chosen: "Sequence[ChosenRow]") -> str:
    from miiii.sweeps.search.spaces import TABLE_1, TABLE_2

    if not any(row.outside for row in chosen):
        return ""
    if results.definition.space != TABLE_1:
        return "not in the search space of this sweep"
    odd = ", ".join(
        f"{TABLE_1.symbols[name]} {setting_text(TABLE_2[name])}"
        for name in TABLE_1.outside(TABLE_2)
    )
    return f"not in the search space: the paper's Table 2 has {odd}, which its Table 1 lacks"


def _value_text(row: Mapping[str, Any]) -> str:
    if row["limits"] is None:
        return setting_text(row["value"])
    low, high = map(four_digits, row["limits"])
    return f"{low} to {high}"


def _best_and_median(results: "SweepResults", row: Mapping[str, Any]) -> list[float | None]:
    """Best and median of every objective; None if no run is done."""
    names = results.definition.objectives
    return [row[kind] and row[kind][name] for name in names for kind in KINDS]


def _texts(values: Iterable[float | None]) -> list[str]:
    return [shown(value, ".4g") for value in values]


def _paper_csv(results: "SweepResults", record: Mapping[str, Any]) -> str:
    """Both tables as one, with a line per value."""
    objectives = results.definition.objectives
    symbols = {row["setting"]: row["symbol"] for row in record["table_1"]}
    head = ["table", "row", "setting", "symbol", "value", "low", "high", "in_search_space", "runs"]
    head += [f"{kind}_{name}" for name in objectives for kind in KINDS]
    lines: list[list[Any]] = [
        [
            *(1, "", row["setting"], row["symbol"], row["value"], *(row["limits"] or (None, None))),
            *("true", row["runs"], *_best_and_median(results, row)),
        ]
        for row in record["table_1"]
    ]
    for row in record["table_2"]:
        for name, value in row["params"].items():
            inside = "false" if name in row["outside"] else "true"
            line = [2, row["row"], name, symbols[name], value, None, None, inside]
            lines.append([*line, *[None] * (len(head) - len(line))])
    return csv_text(head, lines)


def _paper_record(results: "SweepResults") -> dict[str, Any]:
    from miiii.sweeps.outcome.hyperparameters import chosen_rows, space_rows

    chosen = chosen_rows(results)
    return {
        "sweep": results.name,
        "table_1": [
            {
                **{name: getattr(row, name) for name in ("setting", "symbol", "value", "limits")},
                "runs": row.runs,
                **{kind: named(results, getattr(row, kind)) for kind in KINDS},
            }
            for row in space_rows(results)
        ],
        "table_2": [
            {
                "row": row.label,
                "params": row.params,
                "outside": row.outside,
                "values": named(results, row.values),
            }
            for row in chosen
        ],
        "remark": _remark(results, chosen) or None,
    }
