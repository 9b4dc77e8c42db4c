"""`miiii sweep worker`: takes trials of a sweep and trains them."""

import dataclasses
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from miiii.cli import machine
from miiii.cli.arguments import parse
from miiii.cli.checks import check_range
from miiii.cli.console import leave, say
from miiii.cli.sweep.text import SweepArguments, shared_line, where_option
from miiii.cli.text import counted
from miiii.runs.text import clock

if TYPE_CHECKING:
    from miiii.experiment.interrupts import StopRequest
    from miiii.sweeps.queue.sweep import Sweep

AGAIN = 75
"""Exit code: what was trained is saved, and the same command goes on."""


@dataclass(frozen=True)
class WorkerArguments(SweepArguments):
    """Take trials and train them until none are left. Any number may run at once, anywhere."""

    batch: int = 1
    """Trials of one shape to train together as one program."""
    patience: float = 120.0
    """Seconds without a sign of life after which another worker's trial is taken over."""
    wait: bool = True
    """Stay while others train, to take over from them (--no-wait: leave when nothing waits)."""
    threads: Literal["one", "all"] = "one"
    """Processor cores of this worker on a CPU: start as many workers as there are cores, or give
    all to one."""
    any_version: bool = False
    """Work on a sweep that another version of miiii made."""


def worker(words: list[str]) -> int:
    """`miiii sweep worker`: returns the exit code."""
    arguments = parse(WorkerArguments, words, "miiii sweep worker")
    check_range(arguments, "batch", 1)
    check_range(arguments, "patience", 1, 86400, " s")
    from miiii.experiment.interrupts import StopRequest

    stop = StopRequest()
    with stop.listening():
        from miiii.sweeps.queue.sweep import check_version, open_sweep

        opened = open_sweep(arguments.name, arguments.sweeps_dir, arguments.storage)
        if not arguments.any_version:
            check_version(opened)
        if arguments.threads == "one":
            from miiii.studies.pool import ONE_CORE

            # Read when JAX makes its pool of threads; a GPU is used all the same.
            os.environ.update({key: ONE_CORE[key] for key in ("PJRT_NPROC", "NPROC")})
        machine.prepare_jax()
        return _work(opened, arguments, ["miiii", "sweep", "worker", *words], stop)


def _work(
    opened: "Sweep", arguments: WorkerArguments, command: Sequence[str], stop: "StopRequest"
) -> int:
    from miiii.cli.progress.run import run_progress
    from miiii.sweeps.queue.storage import StorageAwayError
    from miiii.sweeps.queue.worker import Worker

    began = time.monotonic()
    if shared := shared_line(opened):
        say(shared)
    if opened.made < opened.definition.trials:
        say(
            f"warning: only {opened.made:,} of {opened.definition.trials:,} trials were made: "
            "call `miiii sweep new` with the same words again"
        )
    one = Worker(
        opened,
        batch=arguments.batch,
        patience=arguments.patience,
        wait=arguments.wait,
        progress=run_progress,
        tell=say,
        stop=stop,
        command=command,
    )
    try:
        tally = one.work()
    except StorageAwayError as error:
        say(f"error: {error}; what was trained is saved, start a worker again to go on")
        leave(stop.exit_code or AGAIN)
    done = ", ".join(
        f"{count:,} {what}"
        for what, count in dataclasses.asdict(tally).items()
        if type(count) is int and count
    )
    print(
        f"worker of {opened.name}: {done or _nothing(opened, stop())} in "
        f"{clock(time.monotonic() - began)}",
        flush=True,
    )
    if stop():
        say(f"go on with: miiii sweep worker {opened.name}{where_option(arguments)}")
        leave(stop.exit_code)
    if tally.gave_up:
        say(
            f"error: {len(tally.accidents)} runs failed and none was completed: this worker leaves "
            "the others as they are; see why above"
        )
    if tally.accidents:
        say(
            f"failed: {', '.join(tally.accidents)}; once the reason is gone: "
            f"miiii sweep retry {opened.name}"
        )
    return int(bool(tally.accidents or (tally.failed and not tally.complete)))


def _nothing(opened: "Sweep", stopped: bool) -> str:
    """Why a worker trained nothing: it was stopped, or what was left had failed."""
    if stopped:
        return "nothing was trained"
    from miiii.sweeps.outcome.results import read_results

    failed = read_results(opened).counts["failed"]
    if not failed:
        return "nothing was left"
    why = f"miiii sweep status {opened.name} says why"
    return f"nothing was left but {counted(failed, 'run')} that failed ({why})"
