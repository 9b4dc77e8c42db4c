"""`miiii compare`."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import tyro

from miiii.analysis.parts.curves import Curves, SeedCurves
from miiii.cli import machine
from miiii.cli.arguments import UsageError, parse
from miiii.cli.console import print_out
from miiii.cli.tables import text_table
from miiii.cli.text import shown
from miiii.config.config import Config
from miiii.results.comparison import Comparison, check_comparable, compare
from miiii.results.seeds import seed_groups, summary
from miiii.runs.atomic import make_directory
from miiii.runs.conditions import batch_size
from miiii.runs.directory import RunDirectory
from miiii.runs.jsonfiles import encode_json
from miiii.runs.text import percent

FORMATS = (".svg", ".pdf", ".png")
NAMED = 3
"""Runs that the default name of the figure spells out."""


@dataclass(frozen=True)
class CompareArguments:
    """Compare runs: settings that differ, when each task was learnt, how they ended, and curves."""

    runs: tyro.conf.Positional[tuple[str, ...]] = field(default=(), metadata={"option": None})
    """Names of the runs, or their paths; at least two."""
    output: Path | None = None
    """The figure's file, .svg, .pdf or .png; default: figures/compare-….svg."""
    spread: bool = False
    """Put runs together that differ only in their seed: one line for their mean, with the range
    from the lowest to the highest shaded, and in the tables the median with the range."""
    dark: bool = False
    """Draw light on dark instead of dark on light."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    json: bool = False
    """Print everything as JSON on stdout."""


def compare_command(words: list[str]) -> int:
    """`miiii compare`."""
    arguments = parse(CompareArguments, words, "miiii compare")
    found, spread = _open(arguments), arguments.spread
    output = arguments.output or Path("figures") / f"compare-{_joined(list(found))}.svg"
    if output.suffix not in FORMATS:
        raise UsageError(f"--output is {str(output)!r}: it must end in {', '.join(FORMATS)}")
    if output.is_dir():
        raise UsageError(f"--output is {str(output)!r}: it must be a file, and is a directory")
    check_comparable(list(found), [config for _, config in found.values()])

    machine.prepare_jax()
    from miiii.experiment.run import load_run
    from miiii.report.pictures.making import about_pictures

    comparison = compare(
        {name: load_run(directory.path.absolute()) for name, (directory, _) in found.items()}
    )
    runs = [(name, directory.provenance) for name, (directory, _) in found.items()]
    about = about_pictures(["miiii", "compare", *words], runs)
    names = {name: (name,) for name in found}
    groups = seed_groups({n: config for n, (_, config) in found.items()}) if spread else names
    _draw(comparison, groups, output, arguments.dark, about)
    if arguments.json:
        record = _record(comparison, found, output) | ({"seeds": groups} if spread else {})
        print(encode_json(record).decode(), end="")
        return 0
    _print(comparison, _batches(found), groups)
    print(f"\nfigure: {output}")
    return 0


def _open(arguments: CompareArguments) -> dict[str, tuple[RunDirectory, Config]]:
    """The runs under names that differ: a run's own, or its path where two have the same."""
    if len(arguments.runs) < 2:
        given = f"only {arguments.runs[0]!r} was given" if arguments.runs else "none was given"
        raise UsageError(f"which runs? Give at least two, {given}; `miiii list` lists them")
    from miiii.experiment.members import written_config

    opened = [RunDirectory.open(arguments.runs_dir, name) for name in arguments.runs]
    names = [directory.name for directory in opened]
    found: dict[str, tuple[RunDirectory, Config]] = {}
    seen: dict[Path, str] = {}
    for directory, name in zip(opened, names, strict=True):
        place = directory.path.resolve()
        if place in seen:
            raise UsageError(f"run {name} was given twice: give runs that differ")
        seen[place] = name
        shown = name if names.count(name) == 1 else str(directory.path)
        found[shown] = (directory, written_config(directory))
    return found


def _joined(names: Sequence[str]) -> str:
    words = [Path(name).name for name in names]
    if len(words) <= NAMED:
        return "-".join(words)[:150]
    return f"{words[0]}-and-{len(words) - 1}-more"[:150]


def _draw(
    comparison: Comparison,
    groups: Mapping[str, Sequence[str]],
    output: Path,
    dark: bool,
    about: Any,
) -> None:
    from miiii.esch.style import DARK, LIGHT
    from miiii.figures.comparison import comparison_lines
    from miiii.report.pictures.picture import save

    style = DARK if dark else LIGHT
    drawn: dict[str, Curves | SeedCurves] = {
        name: SeedCurves(tuple(comparison.curves[run] for run in runs))
        if len(runs) > 1
        else comparison.curves[runs[0]]
        for name, runs in groups.items()
    }
    figure = comparison_lines(drawn, style=style)
    make_directory(output.parent)
    save(figure, output, style, about)


def _record(
    comparison: Comparison, found: dict[str, tuple[RunDirectory, Config]], output: Path
) -> dict[str, Any]:
    def by_run(values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(comparison.names, values, strict=True))

    tasks = []
    for row in comparison.tasks:
        fields = {item.name: getattr(row, item.name) for item in dataclasses.fields(row)}
        task = fields.pop("task")
        tasks.append({"task": task, **{name: by_run(each) for name, each in fields.items()}})
    paths = [directory.path for directory, _ in found.values()]
    return {
        "runs": by_run(
            [
                {"path": path, "epochs": epochs, "batch": batch}
                for path, epochs, batch in zip(
                    paths, comparison.epochs, _batches(found).values(), strict=True
                )
            ]
        ),
        "settings": {name: by_run(values) for name, values in comparison.settings.items()},
        "tasks": tasks,
        "figure": output,
    }


def _batches(found: dict[str, tuple[RunDirectory, Config]]) -> dict[str, int]:
    """How many runs each trained together with, itself included."""
    return {name: batch_size(directory.provenance) for name, (directory, _) in found.items()}


def _print(
    comparison: Comparison, batches: dict[str, int], groups: Mapping[str, Sequence[str]]
) -> None:
    from miiii.report.page.settings import value_text

    names = comparison.names

    def each(texts: Iterable[str]) -> list[str]:
        """Of every group the texts of its runs, each once."""
        of = dict(zip(names, texts, strict=True))
        return [", ".join(dict.fromkeys(of[run] for run in runs)) for runs in groups.values()]

    print("settings that differ" + ("" if comparison.settings else ": none") + "\n")
    if comparison.settings:
        rows = [[name, *each(map(value_text, row))] for name, row in comparison.settings.items()]
        _table(["setting", *groups], rows)
        print()
    if len({curves.labels for curves in comparison.curves.values()}) > 1:
        print(
            "note: the runs learn different tasks; a dash stands for one that a run does not have\n"
        )
    regression = all(curves.regression for curves in comparison.curves.values())
    unit = "mean squared error" if regression else "guessing = 1"
    epoch, loss = partial(shown, form=","), partial(shown, form=".3g")
    measures: list[tuple[str, str, Callable[[Any], str]]] = [
        ("epoch from which validation accuracy holds 0.9", "held_from", epoch),
        ("validation accuracy at the end", "validation_accuracy", percent),
        (f"validation loss at the end, {unit}", "validation_loss", loss),
        ("training accuracy at the end", "train_accuracy", percent),
        (f"training loss at the end, {unit}", "train_loss", loss),
    ]
    ends = [f"{epoch:,}" for epoch in comparison.epochs]
    together = [str(batches[name]) for name in names]
    rows = [["epochs trained", *each(ends)], ["runs in its batch", *each(together)]]
    _table(["", *groups], rows)
    if len(set(together)) > 1:
        print(
            "note: a run alone and the same run in a batch differ from the last bits on: batched "
            "products are added up in another order"
        )
    for title, name, written in measures:
        if regression and name in ("held_from", "validation_accuracy", "train_accuracy"):
            continue
        over = len(groups) < len(names)
        print(f"\n{title}{'; of seeds the median (lowest to highest)' if over else ''}\n")
        rows = []
        for row in comparison.tasks:
            values = dict(zip(names, getattr(row, name), strict=True))
            cells = [_cell([values[run] for run in runs], written) for runs in groups.values()]
            rows.append([row.task, *cells])
        _table(["task" if regression else "modulus", *groups], rows)


def _cell(values: Sequence[Any], written: Callable[[Any], str]) -> str:
    """One run's value, or the median and the range of several."""
    if len(values) == 1:
        return written(values[0])
    found = summary(values)
    if found is None:
        return written(None)
    whole = all(isinstance(value, int) for value in values if value is not None)
    texts = []
    for value in found:
        number = int(value) if whole and value.is_integer() else value
        texts.append(written(None if math.isinf(value) else number))
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print_out(text_table(head, rows, whole=head[:1], words=["task"]))
