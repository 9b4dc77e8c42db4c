"""`miiii certify`: certificates of the tasks that a run answers right on every number."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from miiii.cli import machine
from miiii.cli.arguments import UsageError, parse
from miiii.cli.checks import check_epoch
from miiii.cli.console import at_intervals
from miiii.cli.tables import print_table
from miiii.runs.directory import RunDirectory

if TYPE_CHECKING:
    from miiii.analysis.certificate.certify import Certificate, TaskCertificate


@dataclass(frozen=True)
class CertifyArguments:
    """Prove which tasks a run answers right on every number n < p², and list where it does not.

    Each task's margin (right logit minus the largest other one) is compared with a rigorous bound
    on the rounding error of the logits. Writes certificate.json, the weights as certificate.npz,
    and check_certificate.py, which verifies both with NumPy only.

    Exit code: 0 every task is certified; 1 some task is not; 2 refused.
    """

    run: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the run, or its path."""
    epoch: int | None = None
    """The snapshot to certify, in epochs; default: the latest weights."""
    runs_dir: Path = Path("runs")
    """The directory that holds the runs."""
    output_dir: Path | None = None
    """The directory of the files; default: the run's analysis directory, and in it epoch-E for a
    snapshot."""
    json: bool = False
    """Print the certificate as JSON on stdout, as it is written."""


def certify_command(words: list[str]) -> int:
    """Run `miiii certify`; returns the exit code."""
    arguments = parse(CertifyArguments, words, "miiii certify")
    directory = RunDirectory.open(arguments.runs_dir, arguments.run)
    from miiii.experiment.members import written_config

    if written_config(directory).task.is_regression:
        raise UsageError(
            f"run {directory.name} is of T_waves, whose output is a real number: "
            "expected a task with classes, whose answers are right or wrong"
        )
    check_epoch(arguments.epoch, directory.name, directory.snapshot_epochs())
    machine.prepare_jax()
    from miiii.experiment.run import load_run
    from miiii.results.certificates import certify_run, no_structure, write_certificate

    run = load_run(arguments.run, arguments.runs_dir)
    show = at_intervals()
    certificate = certify_run(
        run,
        arguments.epoch,
        lambda items, done, count: show(f"certifying: {done} of {count} {items}"),
    )
    target = arguments.output_dir
    if target is None:
        target = run.path / "analysis"
        if arguments.epoch is not None:
            target = target / f"epoch-{arguments.epoch}"
    written = write_certificate(run, certificate, target, arguments.epoch)
    if arguments.json:
        print(written.certificate.read_text(encoding="utf-8"), end="")
    else:
        _print_tasks(certificate)
        print(f"\n{summary(certificate)}")
        if reason := no_structure(run):
            print(f"no structural form: {reason}")
        again = shlex.join(["python", str(written.checker), str(written.certificate)])
        print(f"{written.certificate}; check it again with: {again}")
    return 0 if certificate.certified else 1


def _print_tasks(certificate: "Certificate") -> None:
    head = ["task", "wrong", "smallest margin", "at n", "bound", "bound, float32", "verdict"]
    if any(task.structure is not None for task in certificate.tasks):
        head.append("decided by n mod q")
    rows = []
    for task in certificate.tasks:
        cells = [
            str(task.modulus),
            f"{len(task.wrong):,}",
            f"{task.smallest_margin:.4g}",
            f"{task.hardest:,}",
            f"{task.largest_bound():.2g}",
            f"{task.largest_bound(1):.2g}",
            verdict(task),
        ]
        if task.structure is not None:
            decided = int(task.structure.decided.sum())
            whole = "all" if task.structure.certified else f"{decided:,}"
            cells.append(f"{whole} of {len(task.margin):,}")
        rows.append(cells)
    print_table(head, rows, whole=head)


def verdict(task: "TaskCertificate") -> str:
    """The result for a task in a few words."""
    if task.certified():
        return "certified, float32 too" if task.certified(1) else "certified"
    if len(task.wrong):
        return "wrong" if task.proved_wrong.any() else "wrong within rounding"
    return "undecided: margin within rounding"


def summary(certificate: "Certificate") -> str:
    """The line below the table."""
    tasks = certificate.tasks
    return (
        f"{sum(task.certified() for task in tasks)} of {len(tasks)} tasks certified on all "
        f"{certificate.numbers:,} numbers, {sum(task.certified(1) for task in tasks)} of them for "
        "every float32 evaluation too"
    )
