"""`miiii circuits`: pictures and numbers of the neurons that serve each task."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from miiii.cli import machine
from miiii.cli.arguments import UsageError, parse
from miiii.cli.checks import check_epoch, check_range, picture_formats
from miiii.cli.commands.figures import track
from miiii.cli.console import timed
from miiii.cli.text import listed, shown
from miiii.runs.atomic import make_directory
from miiii.runs.directory import RunDirectory


@dataclass(frozen=True)
class CircuitsArguments:
    """Find which neurons serve which tasks, and prove it by removing them.

    Draws the spectrum on the number line; the neuron × task table; the accuracy that every task
    loses without each task's neurons, harmonics and embedding frequencies and without each head,
    beside as many removed at random; the sharing index, each task's power and its progress measures
    through training; and the certificate's margins. Writes the numbers as JSON and CSV. For a
    T_nanda run there are the certificate and the measures of addition.
    """

    run: tyro.conf.Positional[str | None] = field(default=None, metadata={"option": None})
    """Name of the run, or its path."""
    only: str = ""
    """Pictures to draw, separated by commas, for example N2,N3; default: all (`miiii circuits
    --list` names them)."""
    list: bool = False
    """Name the pictures and end."""
    epoch: int | None = None
    """The snapshot whose weights are analysed, in epochs; default: the latest weights."""
    draws: int = 20
    """Random control draws for every removal."""
    snapshots: int = 16
    """The most snapshots in the curves through training, log-spaced; 0: all."""
    format: str = "svg,png"
    """File formats, separated by commas: svg, pdf, png."""
    dark: bool = False
    """Light on dark instead of dark on light."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    output_dir: Path | None = None
    """The directory of the pictures; default: circuits in the run's directory."""
    json: bool = False
    """Print the numbers as JSON on stdout."""


def circuits_command(words: list[str]) -> int:
    """Run `miiii circuits`; returns the exit code."""
    arguments = parse(CircuitsArguments, words, "miiii circuits")
    formats = picture_formats(arguments.format)
    check_range(arguments, "draws", 1)
    check_range(arguments, "snapshots", 0, more=" (0: all)")
    if not arguments.list:
        if arguments.run is None:
            raise UsageError("which run? Give its name; `miiii list` lists them")
        RunDirectory.open(arguments.runs_dir, arguments.run)  # A bad name fails before JAX loads.

    machine.prepare_jax()
    from miiii.report.pictures.catalogue import CIRCUITS, choose

    entries = choose(listed(arguments.only), CIRCUITS)
    if arguments.list:
        for entry in entries:
            print(f"{entry.number:4} {entry.about}")
        return 0
    from miiii.esch.style import DARK, LIGHT
    from miiii.experiment.run import load_run
    from miiii.report.circuit_record import circuit_record, neuron_rows
    from miiii.report.pictures.sources import Look, Sources
    from miiii.report.pictures.writing import write_pictures
    from miiii.results.circuits import Circuits
    from miiii.results.paper import Results
    from miiii.runs.atomic import write_atomically
    from miiii.runs.jsonfiles import encode_json

    assert arguments.run is not None
    run = load_run(arguments.run, arguments.runs_dir)
    check_epoch(arguments.epoch, run.name, run.snapshots)
    results = Results(run, arguments.epoch, track)
    circuits = Circuits(results, arguments.draws, arguments.snapshots)
    if run.config.task.is_regression:
        raise UsageError(f"run {run.name} learns a real number: expected a task with classes")
    directory = arguments.output_dir or run.path / "circuits"
    make_directory(directory)
    look = Look(DARK if arguments.dark else LIGHT, None)
    sources = Sources(main=results, circuits=circuits)
    command = ["miiii", "circuits", *words]
    written = write_pictures(
        entries, sources, look, directory, formats, timed(), "Circuits", command
    )
    parts = frozenset(entry.number for entry in entries)
    record = circuit_record(circuits, parts)
    write_atomically(directory / "circuits.json", encode_json(record))
    if "neurons" in record:
        write_atomically(directory / "neurons.csv", neuron_rows(circuits).encode())
    if arguments.json:
        print(json.dumps(record, indent=2))
    else:
        for line in summary(record):
            print(line)
        for label, reason in written.missing:
            print(f"not drawn: {label} {reason}")
        print(f"{len(written.files)} files in {directory}; the numbers are in its circuits.json")
        print(f"gallery: {written.gallery}")
    return 1 if written.missing and arguments.only else 0


def summary(record: dict) -> list[str]:
    """The main numbers, a line each."""
    lines = []
    if "mlp" in record:
        shares = record["mlp"]
        x0, x1 = shares["share_of_x0_and_x1"]
        lines.append(
            f"hidden neurons' variance: x0 only {_three(x0)}, x1 only {_three(x1)}; with all "
            f"tasks' harmonics {_three(shares['explained_with_digits'])}"
        )
    if "neurons" in record:
        neurons = record["neurons"]
        lines.append(
            f"matched pair (k/q, pk/q) explains a median {_three(neurons['matched_share_median'])}"
            " of a neuron's digit profiles, paired at random "
            f"{_three(neurons['matched_share_paired_at_random_median'])}; each task has "
            f"{min(neurons['neurons_per_task'])} to {max(neurons['neurons_per_task'])} neurons"
        )
    for name in ("neurons", "harmonics", "frequencies"):
        matrix = record.get(f"without_{name}")
        if matrix:
            lines.append(
                f"without a task's {name}: it loses {_interval(matrix['own'])} of accuracy, "
                f"another {_interval(matrix['others'])}, at random {_interval(matrix['control'])}; "
                f"sharing index {_interval(matrix['index'])}"
            )
    if "power" in record:
        orders = record["power"]["half_order"]
        counted = ", ".join(f"{order} {orders.count(order)}" for order in sorted(set(orders)))
        lines.append(f"half of a task's power is there, against the epoch it is solved: {counted}")
    if "certificate" in record:
        tasks = record["certificate"]
        done = sum(task["certified"] for task in tasks)
        lines.append(f"certified on every number: {done} of {len(tasks)} tasks")
    return lines


def _three(value: float | None) -> str:
    return shown(value, ".3f", "–")


def _interval(found: dict) -> str:
    if found["value"] is None:
        return "undefined"
    return f"{_three(found['value'])} ({_three(found['low'])} to {_three(found['high'])})"
