"""`miiii sweep table`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from miiii.cli.arguments import UsageError, parse
from miiii.cli.sweep.text import (
    SweepArguments,
    absent_runs,
    csv_text,
    direction_text,
    markdown_text,
    missing_line,
    open_results,
    print_table,
    setting_text,
    where_option,
)
from miiii.cli.text import percent
from miiii.refusals import unknown_name

if TYPE_CHECKING:
    from miiii.sweeps.outcome.hyperparameters import ChosenRow, ValueRow
    from miiii.sweeps.outcome.results import RunRecord, SweepResults

MARK = "*"
"""Beside a value that the sweep did not try."""


@dataclass(frozen=True)
class TableArguments(SweepArguments):
    """Every run with its settings, values, state, epochs, seconds and attempts."""

    paper: bool = False
    """Instead the paper's tables filled in: per setting and value how many runs there are and how
    good (Table 1), and the best settings beside the paper's (Table 2)."""
    sort: str = ""
    """A column; default: the first objective, best first. What has no value comes last."""
    descending: bool = False
    """Largest first."""
    csv: bool = False
    """Print comma-separated values on stdout."""
    markdown: bool = False
    """Print Markdown on stdout."""
    json: bool = False
    """Print JSON on stdout."""


def table(words: list[str]) -> int:
    """`miiii sweep table`: returns the exit code."""
    arguments = parse(TableArguments, words, "miiii sweep table")
    forms = [name for name in ("json", "csv", "markdown") if getattr(arguments, name)]
    if len(forms) > 1:
        raise UsageError(f"--{forms[0]} and --{forms[1]} exclude each other: choose one")
    if arguments.paper and (arguments.sort or arguments.descending):
        raise UsageError("--sort and --descending go with the table of runs, not with --paper")
    sweep, results = open_results(arguments)
    form = forms[0] if forms else "text"
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


# Every run


def _print_runs(results: "SweepResults", form: str, sort: str, descending: bool) -> None:
    rows = [_row(results, run) for run in _sorted(results, sort, descending)]
    if form == "json":
        print(json.dumps({"sweep": results.name, "runs": rows}, indent=2))
        return
    head = list(_columns(results))
    if form == "csv":
        print(csv_text(head, [list(row.values()) for row in rows]), end="")
        return
    settings, objectives = results.settings, results.definition.objectives
    shown = ["run", "state", *settings, *objectives, "epochs_trained", "seconds", "attempts"]
    if any(row["problem"] for row in rows):
        shown.append("problem")

    def text(name: str, value: Any) -> str:
        if value is None:
            return "-"
        if name in objectives:
            return f"{value:.4g}"
        if name in settings:
            return setting_text(value)
        return f"{value:,.1f}" if name == "seconds" else str(value)

    cells = [[text(name, row[name]) for name in shown] for row in rows]
    heads = ["trained" if name == "epochs_trained" else name for name in shown]
    if form == "markdown":
        print(markdown_text(heads, cells), end="")
        if note := _followed(results):
            print(f"\n{note}")
        return
    print_table(heads, cells)
    if not rows:
        print("no run was made")
    if note := _followed(results):
        print(f"\n{note}")


def _columns(results: "SweepResults") -> tuple[str, ...]:
    settings, objectives = results.settings, results.definition.objectives
    after = ("epochs_trained", "seconds", "attempts", "accuracy", "solved", "ended", "problem")
    return ("run", "state", *settings, *objectives, *after)


def _row(results: "SweepResults", run: "RunRecord") -> dict[str, Any]:
    """A run by column; None where there is nothing."""
    objectives = results.definition.objectives
    values = run.values or (None,) * len(objectives)
    return {
        "run": run.run,
        "state": run.state,
        **{name: run.params.get(name) for name in results.settings},
        **dict(zip(objectives, values, strict=True)),
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
    known = list(_columns(results))
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
        # Words after numbers, where a setting has both.
        return (isinstance(value, str), value)

    return [*sorted(full, key=key, reverse=descending), *empty]


# Tables 1 and 2


def _print_paper(results: "SweepResults", form: str) -> None:
    from miiii.sweeps.outcome.hyperparameters import chosen_rows, space_rows

    space, chosen = space_rows(results), chosen_rows(results)
    remark = _remark(results, chosen)
    if form == "json":
        print(json.dumps(_paper_record(results, space, chosen, remark), indent=2))
        return
    if form == "csv":
        print(_paper_csv(results, space, chosen), end="")
        return
    objectives = results.definition.objectives
    symbols = {row.setting: row.symbol for row in space}
    head = ["setting", "symbol", "value", "runs"]
    head += [f"{kind} {name}" for name in objectives for kind in ("best", "median")]
    cells = [_space_cells(row, len(objectives)) for row in space]
    directions = "; ".join(f"{name}: {direction_text(name)}" for name in objectives)
    first = f"Table 1. The search space of {results.name}, filled with {_done(results)}."
    second = "Table 2. The best setting" + (", beside the paper's." if len(chosen) > 1 else ".")
    rows = [_chosen_cells(row, results) for row in chosen]
    titles = ["", *(symbols[name] for name in results.settings), *objectives]
    if form == "markdown":
        print(f"{first} {directions}.\n\n{markdown_text(head, cells)}")
        print(f"{second}\n\n{markdown_text(titles, rows)}", end="")
        if remark:
            print(f"\n\\{MARK} {remark}")
        if note := _followed(results):
            print(f"\n{note}")
        return
    print(f"{first}\n{directions}\n")
    print_table(head, cells)
    print(f"\n{second}\n")
    print_table(titles, rows)
    if not results.done:
        print("\nno run is done yet")
    if remark:
        print(f"\n{MARK} {remark}")
    if note := _followed(results):
        print(f"\n{note}")


def _followed(results: "SweepResults") -> str:
    """Of a sampler that followed results: how its counts of runs are to be read, else nothing."""
    from miiii.sweeps.outcome.importance import LEAST_RUNS, follows_results, importances

    if not results.done or not follows_results(results):
        return ""
    note = (
        "The sampler followed the results and gathers its runs where earlier ones were good: how "
        "many runs have a value says little of what it is worth."
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
    return f"{done:,} run{'s' * (done != 1)}"


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


def _space_cells(row: "ValueRow", objectives: int) -> list[str]:
    if row.limits is None:
        value = setting_text(row.value)
    else:
        value = f"{row.limits[0]:.4g} to {row.limits[1]:.4g}"
    cells = [row.setting, row.symbol, value, str(row.runs)]
    for place in range(objectives):
        pair = (row.best, row.median)
        cells += ["-" if each is None else f"{each[place]:.4g}" for each in pair]
    return cells


def _chosen_cells(row: "ChosenRow", results: "SweepResults") -> list[str]:
    cells = [
        setting_text(value) + (MARK if name in row.outside else "")
        for name, value in row.params.items()
    ]
    values = row.values or (None,) * len(results.definition.objectives)
    return [row.label, *cells, *("-" if each is None else f"{each:.4g}" for each in values)]


def _paper_csv(
    results: "SweepResults", space: "Sequence[ValueRow]", chosen: "Sequence[ChosenRow]"
) -> str:
    """Both tables in one, a line per value, so that nothing is lost."""
    objectives = results.definition.objectives
    symbols = {row.setting: row.symbol for row in space}
    head = ["table", "row", "setting", "symbol", "value", "low", "high", "in_search_space", "runs"]
    head += [f"{kind}_{name}" for name in objectives for kind in ("best", "median")]
    lines: list[list[Any]] = []
    for row in space:
        limits = row.limits or (None, None)
        line: list[Any] = [1, "", row.setting, row.symbol, row.value, *limits, "true", row.runs]
        for place in range(len(objectives)):
            line += [each and each[place] for each in (row.best, row.median)]
        lines.append(line)
    for each in chosen:
        for name, value in each.params.items():
            inside = "false" if name in each.outside else "true"
            lines.append(
                [2, each.label, name, symbols[name], value, None, None, inside, None]
                + [None] * (2 * len(objectives))
            )
    return csv_text(head, lines)


def _paper_record(
    results: "SweepResults",
    space: "Sequence[ValueRow]",
    chosen: "Sequence[ChosenRow]",
    remark: str,
) -> dict[str, Any]:
    objectives = results.definition.objectives

    def named(values: Sequence[float] | None) -> dict[str, float] | None:
        return None if values is None else dict(zip(objectives, values, strict=True))

    return {
        "sweep": results.name,
        "table_1": [
            {
                "setting": row.setting,
                "symbol": row.symbol,
                "value": row.value,
                "limits": row.limits,
                "runs": row.runs,
                "best": named(row.best),
                "median": named(row.median),
            }
            for row in space
        ],
        "table_2": [
            {
                "row": row.label,
                "params": row.params,
                "outside": row.outside,
                "values": named(row.values),
            }
            for row in chosen
        ],
        "remark": remark or None,
    }
