"""`miiii sweep status`: counts, workers and best run of a sweep."""

import dataclasses
import json
import socket
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from miiii.cli.arguments import parse
from miiii.cli.checks import check_range
from miiii.cli.console import is_live
from miiii.cli.sweep.text import SweepArguments, open_results, values_text, where_option
from miiii.cli.text import counted
from miiii.runs.text import clock, percent
from miiii.sweeps.jobs.local_jobs import is_alive

if TYPE_CHECKING:
    from miiii.sweeps.outcome.results import RunRecord, SweepResults, WorkerRecord

UNFINISHED = 3
"""Exit code of --exit-code while runs wait or are trained."""
SHOWN_WORKERS = 20
SHOWN_PROBLEMS = 5


@dataclass(frozen=True)
class StatusArguments(SweepArguments):
    """Show how many runs wait, train and are done, the workers, and the best run so far."""

    watch: bool = False
    """Show it again and again until every run has ended; Ctrl-C ends this command only."""
    interval: float = 5.0
    """Seconds between looks with --watch."""
    exit_code: bool = False
    """End with exit code 3 while any run waits or trains, for scripts that wait."""
    json: bool = False
    """Print it as JSON on stdout; with --watch one line each time."""


def status(words: list[str]) -> int:
    """Run `miiii sweep status`; returns the exit code."""
    arguments = parse(StatusArguments, words, "miiii sweep status")
    check_range(arguments, "interval", 0.2, 86400, " s")
    sweep, results = open_results(arguments)
    where = where_option(arguments)
    if not arguments.watch:
        if arguments.json:
            print(json.dumps(_record(results), indent=2))
        else:
            print("\n".join(_lines(results, where)))
        return UNFINISHED if arguments.exit_code and results.unfinished else 0

    from miiii.sweeps.outcome.results import read_results

    console = Console(highlight=False, markup=False, force_terminal=True)
    moves = is_live(sys.stdout) and not arguments.json
    with Live(console=console, auto_refresh=False) if moves else nullcontext() as live:
        while True:
            if live is not None:
                live.update(Text("\n".join(_lines(results, where))), refresh=True)
            else:
                print(
                    json.dumps(_record(results)) if arguments.json else _line(results), flush=True
                )
            if not results.unfinished:
                return 0
            time.sleep(arguments.interval)
            results = read_results(sweep)


def _lines(results: "SweepResults", where: str) -> list[str]:
    """The whole status as text."""
    definition, counts = results.definition, results.counts
    made, total = len(results.runs), max(definition.trials, len(results.runs))
    source = f"the runs of study {definition.study}" if definition.study else definition.sampler
    lines = [
        f"sweep {results.name}: {total:,} runs ({source}), for {', '.join(definition.objectives)}",
        "  ".join(f"{state} {count:,}" for state, count in counts.items())
        + f"  ({percent(1 - results.unfinished / total)} ended)",
    ]
    if made < definition.trials:
        lines.append(
            f"only {made:,} of {definition.trials:,} were made: call `miiii sweep new` with the "
            "same words again"
        )
    again = sum(run.attempts > 1 for run in results.runs)
    if again:
        lines.append(f"{counted(again, 'run')} went on after a worker left or vanished")
    several = len(definition.objectives) > 1
    lines += [
        f"best{f' by {name}' if several else ''}: {values_text(results, run.values or ())} "
        f"({run.run})"
        for name, run in _best(results)
    ] or ["no run is done yet"]
    workers = results.workers
    if workers:
        lines.append(f"running: {counted(len(workers), 'worker')}")
        lines += [f"  {_worker_text(results, worker)}" for worker in workers[:SHOWN_WORKERS]]
        if len(workers) > SHOWN_WORKERS:
            lines.append(f"  and {len(workers) - SHOWN_WORKERS:,} more (--json lists all)")
    elif results.unfinished:
        lines.append(f"no worker is running: miiii sweep worker {results.name}{where}")
    alive = not all(_is_gone(worker.worker) for worker in workers)
    if results.seconds_left is not None and alive:
        lines.append(f"about {clock(results.seconds_left)} left with these workers")
    failed = [run for run in results.runs if run.state == "failed"]
    lines += [f"{run.run} failed: {run.problem}" for run in failed[:SHOWN_PROBLEMS]]
    if len(failed) > SHOWN_PROBLEMS:
        lines.append(
            f"and {counted(len(failed) - SHOWN_PROBLEMS, 'run')} more failed (miiii sweep table)"
        )
    return lines


def _best(results: "SweepResults") -> "list[tuple[str, RunRecord]]":
    """Each objective with its best run; empty if no run is done."""
    from miiii.sweeps.outcome.ranking import ranked

    if not results.done:
        return []
    names = results.definition.objectives
    return [(name, ranked(results, place)[0]) for place, name in enumerate(names)]


def _worker_text(results: "SweepResults", worker: "WorkerRecord") -> str:
    budgets = {run.run: run.budget for run in results.runs}
    shown = worker.runs[0] if len(worker.runs) == 1 else f"{worker.runs[0]} … {worker.runs[-1]}"
    least, most = min(worker.epochs), max(worker.epochs)
    epochs = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    text = (
        f"{worker.worker or 'no name yet'}: {counted(len(worker.runs), 'run')} ({shown}), "
        f"epoch {epochs} of {max(budgets[run] for run in worker.runs):,}"
    )
    if _is_gone(worker.worker):
        text += "; this process has ended: another worker takes its runs over"
    return text


def _is_gone(worker: str) -> bool:
    """Whether a worker was a process of this machine that has ended."""
    host, _, process = worker.rpartition(":")
    here = host == socket.gethostname() and process.isdigit()
    return here and not is_alive(int(process))


def _line(results: "SweepResults") -> str:
    """The status on one line, for logs."""
    counts = results.counts
    total = max(results.definition.trials, len(results.runs))
    parts = [f"{state} {count:,}" for state, count in counts.items() if count or state == "done"]
    best = "; ".join(
        f"best {name} {(run.values or ())[place]:.4g}"
        for place, (name, run) in enumerate(_best(results))
    )
    left = results.seconds_left
    extra = [best or "none is done", counted(len(results.workers), "worker")]
    extra += [f"{clock(left)} left"] if left is not None else []
    return f"{datetime.now():%H:%M:%S}  {', '.join(parts)} of {total:,}; {'; '.join(extra)}"


def _record(results: "SweepResults") -> dict[str, Any]:
    definition = results.definition
    return {
        "sweep": results.name,
        "sampler": definition.sampler,
        "study": definition.study or None,
        "objectives": dict(zip(definition.objectives, definition.directions, strict=True)),
        "trials": definition.trials,
        "made": len(results.runs),
        "counts": results.counts,
        "unfinished": results.unfinished,
        "attempts": sum(run.attempts for run in results.runs),
        "best": {name: {"run": run.run, "values": run.values} for name, run in _best(results)},
        "workers": [
            {**dataclasses.asdict(worker), "gone": _is_gone(worker.worker)}
            for worker in results.workers
        ],
        "seconds_left": results.seconds_left,
    }
