"""`miiii sweep worker`: takes trials of a sweep and trains them."""

import dataclasses
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from miiii.cli import machine
from miiii.cli.arguments import parse
from miiii.cli.checks import check_range
from miiii.cli.console import exit_now, to_stderr
from miiii.cli.sweep.text import SweepArguments, shared_line, where_option
from miiii.cli.text import counted
from miiii.experiment.interrupts import SAVED, StopRequest
from miiii.runs.text import clock

if TYPE_CHECKING:
    from miiii.sweeps.queue.sweep import Sweep


@dataclass(frozen=True)
class WorkerArguments(SweepArguments):
    """Take trials and train them until none are left. Any number of workers may run at once."""

    batch: int = 1
    """Trials of one shape to train together as one program."""
    patience: float = 120.0
    """Seconds without a sign of life after which another worker's trial is taken over."""
    wait: bool = True
    """Stay while others train, to take over from them (--no-wait: end when no trial waits)."""
    threads: Literal["one", "all"] = "one"
    """Processor cores of this worker on a CPU: start as many workers with one core as there are
    cores, or one worker with all."""
    any_version: bool = False
    """Work on a sweep that another version of miiii made."""


def worker(words: list[str]) -> int:
    """Run `miiii sweep worker`; returns the exit code."""
    arguments = parse(WorkerArguments, words, "miiii sweep worker")
    check_range(arguments, "batch", 1)
    check_range(arguments, "patience", 1, 86400, " s")
    stop = StopRequest()
    with stop.listening():
        from miiii.sweeps.queue.sweep import check_version, open_sweep

        opened = open_sweep(arguments.name, arguments.sweeps_dir, arguments.storage)
        if not arguments.any_version:
            check_version(opened)
        if arguments.threads == "one":
            from miiii.studies.pool import ONE_CORE

            # JAX reads them when it makes its pool of threads; a GPU is still used.
            os.environ.update({key: ONE_CORE[key] for key in ("PJRT_NPROC", "NPROC")})
        machine.prepare_jax()
        return _work(opened, arguments, ["miiii", "sweep", "worker", *words], stop)


def _work(
    opened: "Sweep", arguments: WorkerArguments, command: Sequence[str], stop: StopRequest
) -> int:
    from miiii.cli.progress.run import RunProgress
    from miiii.cli.progress.screen import on_screen
    from miiii.sweeps.queue.storage import StorageAwayError
    from miiii.sweeps.queue.worker import Worker

    began = time.monotonic()
    if shared := shared_line(opened):
        to_stderr(shared)
    if opened.made < opened.definition.trials:
        to_stderr(
            f"warning: only {opened.made:,} of {opened.definition.trials:,} trials were made: "
            "call `miiii sweep new` with the same words again"
        )
    one = Worker(
        opened,
        batch=arguments.batch,
        patience=arguments.patience,
        wait=arguments.wait,
        progress=partial(on_screen, RunProgress),
        tell=to_stderr,
        stop=stop,
        command=command,
    )
    try:
        tally = one.work()
    except StorageAwayError as error:
        to_stderr(f"error: {error}; what was trained is saved, start a worker again to go on")
        exit_now(stop.exit_code or SAVED)
    done = ", ".join(
        f"{count:,} {name}"
        for name, count in dataclasses.asdict(tally).items()
        if type(count) is int and count
    )
    print(
        f"worker of {opened.name}: {done or _nothing(opened, stop())} in "
        f"{clock(time.monotonic() - began)}",
        flush=True,
    )
    if stop():
        to_stderr(f"go on with: miiii sweep worker {opened.name}{where_option(arguments)}")
        exit_now(stop.exit_code)
    if tally.gave_up:
        to_stderr(
            f"error: {len(tally.accidents)} runs failed and none was completed: this worker leaves "
            "the others as they are; the reasons are above"
        )
    if tally.accidents:
        to_stderr(
            f"failed: {', '.join(tally.accidents)}; once the reason is gone: "
            f"miiii sweep retry {opened.name}"
        )
    return int(bool(tally.accidents or (tally.failed and not tally.complete)))


def _nothing(opened: "Sweep", stopped: bool) -> str:
    """Why a worker trained no run: it was stopped, or all runs that were left had failed."""
    if stopped:
        return "nothing was trained"
    from miiii.sweeps.outcome.results import read_results

    failed = read_results(opened).counts["failed"]
    if not failed:
        return "nothing was left"
    hint = f"miiii sweep status {opened.name} gives the reasons"
    return f"nothing was left but {counted(failed, 'run')} that failed ({hint})"
