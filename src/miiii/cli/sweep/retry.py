"""`miiii sweep retry`: queues failed runs again."""

from dataclasses import dataclass, field

import tyro

from miiii.cli.arguments import parse
from miiii.cli.console import to_stderr
from miiii.cli.sweep.text import SweepArguments, where_option
from miiii.refusals import unknown_name


@dataclass(frozen=True)
class RetryArguments(SweepArguments):
    """Queue failed runs again, each from its checkpoint if it has one.

    Without names: all failed runs but those with a loss that was not finite, which depends on their
    settings and would happen again. Name such a run to try it all the same.
    """

    runs: tyro.conf.Positional[tuple[str, ...]] = field(default=(), metadata={"option": None})
    """Names of failed runs (miiii sweep table lists them)."""


def retry(words: list[str]) -> int:
    """Run `miiii sweep retry`; returns the exit code."""
    arguments = parse(RetryArguments, words, "miiii sweep retry")
    from miiii.sweeps.outcome.results import read_results
    from miiii.sweeps.queue.sweep import open_sweep

    sweep = open_sweep(arguments.name, arguments.sweeps_dir, arguments.storage)
    sweep.storage.notify = to_stderr
    results = read_results(sweep)
    known = {run.run: run for run in results.runs}
    failed = {name: run for name, run in known.items() if run.state == "failed"}
    for name in arguments.runs:
        if name not in known:
            raise ValueError(unknown_name("run", name, list(known)))
        if name not in failed:
            raise ValueError(f"run {name} is {known[name].state}: only failed runs are tried again")
    chosen = arguments.runs or tuple(
        name for name, run in failed.items() if "is not finite" not in run.problem
    )
    again = sweep.queue(120.0).retry(chosen)
    left = len(failed) - len(again)
    print(f"{len(again):,} of {len(failed):,} failed runs wait to be tried again")
    if left and not arguments.runs:
        print(f"{left:,} met a number that is not finite; to try one all the same, name it")
    missing = sweep.definition.trials - sweep.made
    if missing > 0:
        print(f"{missing:,} trials were never made: call `miiii sweep new` with the same words")
    if again:
        print(f"next: miiii sweep worker {sweep.name}{where_option(arguments)}")
    return 0
