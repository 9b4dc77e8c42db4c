"""`miiii compare`: tables and curves of runs side by side."""

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
from miiii.cli.checks import FORMATS
from miiii.cli.tables import print_table
from miiii.cli.text import shown
from miiii.config.config import Config
from miiii.results.comparison import Comparison, TaskRow, check_comparable, compare
from miiii.results.seeds import seed_groups, summary
from miiii.runs.atomic import make_directory
from miiii.runs.conditions import batch_size
from miiii.runs.directory import RunDirectory
from miiii.runs.jsonfiles import encode_json
from miiii.runs.text import percent

NAMED = 3
"""The most runs that the default name of the figure lists."""


@dataclass(frozen=True)
class CompareArguments:
    """Compare runs: different settings, the epoch that learnt each task, final values, curves."""

    runs: tyro.conf.Positional[tuple[str, ...]] = field(default=(), metadata={"option": None})
    """Names of the runs, or their paths; at least two."""
    output: Path | None = None
    """The figure's file, .svg, .pdf or .png; default: figures/compare-….svg."""
    spread: bool = False
    """Group runs that differ only in their seed: one line for their mean, with the range from the
    lowest to the highest shaded, and in the tables the median with the range."""
    dark: bool = False
    """Draw light on dark instead of dark on light."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    json: bool = False
    """Print everything as JSON on stdout."""


def compare_command(words: list[str]) -> int:
    """Run `miiii compare`; returns the exit code."""
    arguments = parse(CompareArguments, words, "miiii compare")
    found, spread = _open(arguments), arguments.spread
    output = arguments.output or Path("figures") / f"compare-{_joined(list(found))}.svg"
    endings = [f".{name}" for name in FORMATS]
    if output.suffix not in endings:
        raise UsageError(f"--output is {str(output)!r}: it must end in {', '.join(endings)}")
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
    batches = [str(batch_size(directory.provenance)) for directory, _ in found.values()]
    _print(comparison, batches, groups)
    print(f"\nfigure: {output}")
    return 0


def _open(arguments: CompareArguments) -> dict[str, tuple[RunDirectory, Config]]:
    """The runs by unique names: a run's name, or its path where two have the same name."""
    if len(arguments.runs) < 2:
        given = f"only {arguments.runs[0]!r} was given" if arguments.runs else "none was given"
        raise UsageError(f"which runs? Give at least two, {given}; `miiii list` lists them")
    from miiii.experiment.members import written_config

    opened = [RunDirectory.open(arguments.runs_dir, name) for name in arguments.runs]
    names = [directory.name for directory in opened]
    found: dict[str, tuple[RunDirectory, Config]] = {}
    seen: set[Path] = set()
    for directory, name in zip(opened, names, strict=True):
        place = directory.path.resolve()
        if place in seen:
            raise UsageError(f"run {name} was given twice: give runs that differ")
        seen.add(place)
        shown = name if names.count(name) == 1 else str(directory.path)
        found[shown] = (directory, written_config(directory))
    return found


def _joined(names: Sequence[str]) -> str:
    runs = [Path(name).name for name in names]
    text = "-".join(runs) if len(runs) <= NAMED else f"{runs[0]}-and-{len(runs) - 1}-more"
    return text[:150]


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

    directories = [directory for directory, _ in found.values()]
    measures = [item.name for item in dataclasses.fields(TaskRow) if item.name != "task"]
    return {
        "runs": by_run(
            [
                {"path": one.path, "epochs": epochs, "batch": batch_size(one.provenance)}
                for one, epochs in zip(directories, comparison.epochs, strict=True)
            ]
        ),
        "settings": {name: by_run(values) for name, values in comparison.settings.items()},
        "tasks": [
            {"task": row.task, **{name: by_run(getattr(row, name)) for name in measures}}
            for row in comparison.tasks
        ],
        "figure": output,
    }


def _print(
    comparison: Comparison, batches: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> None:
    from miiii.report.page.settings import value_text

    names = comparison.names

    def each(texts: Iterable[str]) -> list[str]:
        """The texts of each group's runs, without repetition."""
        of = dict(zip(names, texts, strict=True))
        return [", ".join(dict.fromkeys(of[run] for run in runs)) for runs in groups.values()]

    print("settings that differ" + ("" if comparison.settings else ": none") + "\n")
    if comparison.settings:
        rows = [[name, *each(map(value_text, row))] for name, row in comparison.settings.items()]
        _print_table(["setting", *groups], rows)
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
    rows = [["epochs trained", *each(ends)], ["runs in its batch", *each(batches)]]
    _print_table(["", *groups], rows)
    if len(set(batches)) > 1:
        print(
            "note: a run by itself and the same run in a batch differ, first in the last bits: "
            "batched products are added up in another order"
        )
    for title, name, text_of in measures:
        if regression and name in ("held_from", "validation_accuracy", "train_accuracy"):
            continue
        over = len(groups) < len(names)
        print(f"\n{title}{'; of seeds the median (lowest to highest)' if over else ''}\n")
        rows = []
        for row in comparison.tasks:
            values = dict(zip(names, getattr(row, name), strict=True))
            cells = [_cell([values[run] for run in runs], text_of) for runs in groups.values()]
            rows.append([row.task, *cells])
        _print_table(["task" if regression else "modulus", *groups], rows)


def _cell(values: Sequence[Any], text_of: Callable[[Any], str]) -> str:
    """One run's value, or the median and the range of several."""
    if len(values) == 1:
        return text_of(values[0])
    found = summary(values)
    if found is None:
        return text_of(None)
    whole = all(isinstance(value, int) for value in values if value is not None)
    texts = []
    for value in found:
        number = int(value) if whole and value.is_integer() else value
        texts.append(text_of(None if math.isinf(value) else number))
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print_table(head, rows, whole=head[:1], words=["task"])
