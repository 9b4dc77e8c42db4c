"""`miiii list` and `miiii show`."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro

from miiii.cli.arguments import parse
from miiii.cli.tables import print_table
from miiii.cli.text import directory_option, shown
from miiii.runs.conditions import batch_size, conditions_text, has_changed, resumption_lines
from miiii.runs.listing import UNSURE, RunSummary, ending_text, list_runs, live_state
from miiii.runs.locking import unsure_text
from miiii.runs.provenance import branch_text
from miiii.runs.text import percent
from miiii.runs.thresholds import HELD, SOLVED, dated


@dataclass(frozen=True)
class ListArguments:
    """List the runs with their state and progress."""

    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    json: bool = False
    """Print JSON on stdout."""


@dataclass(frozen=True)
class ShowArguments:
    """Show one run: settings, origin, state, and the epoch that solved each task."""

    run: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the run, or its path."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    json: bool = False
    """Print JSON on stdout."""


def list_command(words: list[str]) -> int:
    """Run `miiii list`; returns the exit code."""
    arguments = parse(ListArguments, words, "miiii list")
    summaries = list_runs(arguments.runs_dir)
    if arguments.json:
        print(json.dumps([_record(summary) for summary in summaries], indent=2))
        return 0
    if not summaries:
        print(f"no runs in {arguments.runs_dir}; make one with: miiii train", file=sys.stderr)
        return 0
    head = ("run", "state", "task", "p", "seed", "epoch", "validation", "solved", "saved")
    # Whole columns, because users copy names.
    print_table(head, list(map(_cells, summaries)), whole=head, words=["task"])
    for summary in summaries:
        if summary.problem:
            print(f"{summary.name}: {summary.problem}", file=sys.stderr)
    return 0


def _cells(summary: RunSummary) -> list[str]:
    status = summary.status
    epochs = status.get("epochs")
    return [
        summary.name,
        live_state(summary) + (" (rule)" if ending_text(status) else ""),
        *(str(status.get(name, "")) for name in ("task", "base", "seed")),
        f"{summary.epoch:,}/{epochs:,}" if epochs and summary.epoch is not None else "",
        percent(status.get("validation_accuracy")),
        str(len(status["solved"])) if "solved" in status else "",
        str(summary.heartbeat or "")[:16].replace("T", " "),
    ]


def _record(summary: RunSummary) -> dict[str, Any]:
    return {
        **summary.status,
        "name": summary.name,
        "path": str(summary.path),
        "state": live_state(summary),
        "problem": summary.problem,
    }


def show_command(words: list[str]) -> int:
    """Run `miiii show`; returns the exit code."""
    arguments = parse(ShowArguments, words, "miiii show")
    from miiii.experiment.run import load_run
    from miiii.experiment.schedules import rate_text
    from miiii.tasks.dataset import mirrored_text

    run = load_run(arguments.run, arguments.runs_dir)
    summary = next(s for s in list_runs(run.path.parent) if s.name == run.name)
    history = run.history
    solved, held = history.first_reached(SOLVED), history.first_reached(HELD, held=True)
    averaged = bool(run.config.training.average_weights)
    raw = history.of_raw_weights()
    tasks: list[dict[str, Any]] = [
        {
            "modulus": modulus,
            "train_accuracy": _last(history.train_accuracy, column),
            "validation_accuracy": _last(history.validation_accuracy, column),
            "validation_loss": _last(history.validation_loss, column),
            "first_0.99": solved[modulus],
            "holds_0.9_from": held[modulus],
            "first_measured": history.first_measured[modulus],
        }
        for column, modulus in enumerate(history.moduli)
    ]
    for column, task in enumerate(tasks if averaged else ()):
        task["raw_validation_accuracy"] = _last(raw.validation_accuracy, column)
        task["raw_validation_loss"] = _last(raw.validation_loss, column)
    if arguments.json:
        record = _record(summary) | {"tasks": tasks, "provenance": run.provenance}
        print(json.dumps(record, indent=2))
        return 0
    origin = run.provenance
    if summary.problem:
        print(f"warning: {summary.problem}", file=sys.stderr)
    # From the history, as the table below, because a killed run's status may be older.
    epoch = int(history.epoch[-1]) if len(history.epoch) else 0
    print(
        f"{run.name}: {live_state(summary)}, epoch {epoch:,} of "
        f"{run.config.training.epochs:,} ({run.path})"
    )
    if ending := ending_text(summary.status):
        print(ending)
    if epoch:
        print(f"learning rate at epoch {epoch:,}: {rate_text(run.config, epoch)}")
    if average := run.config.training.average_text:
        print(f"the model is the {average} (training values are of the raw weights)")
    versions = origin.get("versions", {})
    kept = ("miiii", "jax", "jaxlib", "optax", "numpy", "python")
    print(f"origin: {' '.join(origin.get('command', [])) or 'started from Python'}")
    if branch := branch_text(origin):
        print(f"  {branch}")
    device = origin.get("device", {})
    print(
        f"  {origin.get('time')}, {device.get('platform')} ({device.get('kind')}), "
        f"{origin.get('precision')}, seed {origin.get('seed')}, split {origin.get('split')}"
    )
    print("  " + ", ".join(f"{name} {versions[name]}" for name in kept if versions.get(name)))
    for line in _conditions(origin):
        print(f"  {line}")
    split = run.dataset.split
    print(
        f"numbers: {len(split.train):,} train, {len(split.validation):,} validation, "
        f"{len(split.test):,} test"
    )
    print(
        f"files: {len(run.snapshots)} snapshots, checkpoints at "
        f"{', '.join(f'{epoch:,}' for epoch in run.directory.checkpoint_epochs()) or 'no epoch'}"
    )
    print()
    head = ["modulus", "train", "validation", "loss", "first ≥ 0.99", "holds 0.9 from"]
    rows = [
        [
            str(task["modulus"]),
            percent(task["train_accuracy"]),
            percent(task["validation_accuracy"]),
            shown(task["validation_loss"], ".3g"),
            *(_epoch(task[key], history, column) for key in ("first_0.99", "holds_0.9_from")),
            *([percent(task["raw_validation_accuracy"])] if averaged else []),
        ]
        for column, task in enumerate(tasks)
    ]
    print_table([*head, "raw weights"] if averaged else head, rows)
    if len(history.validation_epoch):
        print(f"\n{_solved_line(history)}")
        if averaged:
            print(f"the raw weights: {_solved_line(raw)}")
        if mirrored := mirrored_text(run.dataset):
            print(mirrored)
    if zero := _zero_loss_line(history):
        print(zero)
    print("\nsettings (config.toml):\n")
    print(run.directory.config_text)
    state = live_state(summary)
    if state in ("killed", "interrupted"):
        where = directory_option(arguments.runs_dir, "runs")
        print(f"go on with: miiii resume {arguments.run}{where}")
    if state in UNSURE:
        print(f"last sign of life: {summary.heartbeat or 'none'}; {unsure_text(summary.path)}")
    return 0


def _zero_loss_line(history: Any) -> str:
    """A line on the epoch since which the training loss of all tasks is exactly 0; empty if not."""
    zero = (history.train_loss == 0).all(axis=1)
    if not len(zero) or not zero[-1]:
        return ""
    since = len(zero) - int(zero[::-1].argmin()) if not zero.all() else 0
    return (
        f"training loss is exactly 0 from epoch {int(history.epoch[since]):,} on: it is too small "
        "for the precision"
    )


def _conditions(origin: Mapping[str, Any]) -> list[str]:
    """Lines on the threads and flags of a run, its batch, and every resumption."""
    batch = batch_size(origin)
    together = f"trained in one batch of {batch} runs" if batch > 1 else "trained alone"
    described = [part for part in (conditions_text(origin), together) if part]
    lines = ["; ".join(described), *resumption_lines(origin)]
    if has_changed(origin):
        lines.append("not bit for bit what it would have been under the conditions of its start")
    return lines


def _solved_line(history: Any) -> str:
    """How many tasks are solved now, the worst one, and the first epoch that solved all of them."""
    latest = history.validation_accuracy[-1]
    reached = history.reached(SOLVED)
    together = reached.all(axis=1)
    first = "never all at once"
    if together.any():
        epochs, accuracy = history.validation_epoch, history.validation_accuracy.min(axis=1)
        first = (
            f"all of them first at epoch {dated(int(epochs[together.argmax()]), epochs, accuracy)}"
        )
    worst = int(latest.argmin())
    return (
        f"validation ≥ {SOLVED} now: {reached[-1].sum()} of {len(latest)} tasks "
        f"(smallest {percent(latest[worst])}, modulus {history.moduli[worst]}); " + first
    )


def _epoch(value: int | None, history: Any, column: int) -> str:
    if value is None:
        return "-"
    return dated(value, history.validation_epoch, history.validation_accuracy[:, column])


def _last(values: Any, column: int) -> float | None:
    return float(values[-1, column]) if len(values) else None
