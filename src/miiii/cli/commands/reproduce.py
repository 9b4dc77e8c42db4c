"""`miiii reproduce`: trains the paper's experiments as one study, and judges its claims."""

import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from miiii.cli import machine
from miiii.cli.arguments import parse
from miiii.cli.checks import check_range, writable
from miiii.cli.commands.ledger import judge_study, print_summary
from miiii.cli.console import exit_now, to_stderr
from miiii.cli.tables import print_table
from miiii.cli.text import listed
from miiii.experiment.interrupts import StopRequest
from miiii.runs.text import clock
from miiii.studies.plan import EXPERIMENTS, LEAST_SEEDS, plan
from miiii.studies.study import Study, join_study

if TYPE_CHECKING:
    from miiii.claims.ledger import Ledger
    from miiii.studies.train import Agenda


@dataclass(frozen=True)
class ReproduceArguments:
    """Train everything that the paper's claims need, judge each of them, and write the report.

    Finished runs stay as they are, and interrupted ones go on. Further calls while it trains, on
    this machine or on another that shares the disk, share the work: every call takes runs that no
    other holds, and the last one to end judges.
    """

    scale: Literal["small", "medium", "paper"] = "small"
    """small: p = 41 with Muon, minutes on two CPU cores; medium: p = 59 with AdamW, the paper's
    optimiser, an hour; paper: p = 113."""
    preset: str = ""
    """T_miiii's settings: mini, small or tiny at scale small; small at scale medium; fast, brief,
    paper, reference or reference32 at scale paper. Default: the first."""
    seeds: int | None = None
    """Seeds of each experiment, from 0 on; default: as many as the claims' rules ask for."""
    only: str = ""
    """Claims (C4,C16), questions of the further work (B1,B2) or experiments (miiii,waves) to train
    for, separated by commas; default: every claim. Other runs of the study stay as they are."""
    beyond: bool = False
    """Add the experiments for the questions of the further work (docs/beyond.md)."""
    name: str = ""
    """Name of the study; default: small, medium, or paper with its preset."""
    studies_dir: Path = Path("studies")
    """The directory that holds the studies."""
    workers: int | None = None
    """Runs at once on a CPU, with one core each; default: as many as there are cores."""
    dry_run: bool = False
    """Print what would be trained and how long it would take; write nothing."""


def reproduce_command(words: list[str]) -> int:
    """Run `miiii reproduce`; returns the exit code."""
    arguments = parse(ReproduceArguments, words, "miiii reproduce")
    for name in ("seeds", "workers"):
        check_range(arguments, name, 1)
    only = list(listed(arguments.only))
    wanted = plan(
        arguments.scale, arguments.preset or None, arguments.seeds, only, arguments.beyond
    )

    def joined() -> Study:
        return join_study(wanted, arguments.name, arguments.studies_dir)

    study, stop = joined(), StopRequest()
    if not arguments.dry_run:
        from miiii.runs.atomic import check_writable

        with writable("--studies-dir", study.path.parent):
            check_writable(study.path)
    if arguments.seeds is not None and arguments.seeds < LEAST_SEEDS:
        to_stderr(f"note: one seed leaves most claims undecided, their rules ask for {LEAST_SEEDS}")
    with stop.listening():
        if not arguments.dry_run:
            with study.lock():
                # Joined again, to keep what another call has added in between.
                study = joined()
                study.save()
        # Without --only, the experiments that other calls have added are trained too.
        experiments = [*wanted.configs] if only else None
        state = _train(study, experiments, arguments, ["miiii", "reproduce", *words], stop)
    if state == "interrupted":
        if not arguments.dry_run:
            to_stderr(f"saved; go on with: {shlex.join(['miiii', 'reproduce', *words])}")
        exit_now(stop.exit_code)
    if arguments.dry_run:
        to_stderr("nothing was written (--dry-run)")
        return 0
    if state == "elsewhere":
        return 0
    ledger = judge_claims(study)
    page = write_page(study, ledger, ["miiii", "reproduce", *words])
    print_summary(ledger)
    print(f"ledger: {study.path / 'ledger.md'}")
    print(f"report: {page}")
    return 0


def _train(
    study: Study,
    experiments: list[str] | None,
    arguments: ReproduceArguments,
    command: list[str],
    stop: StopRequest,
) -> str:
    """Print the jobs and, without --dry-run, train them; returns `StudyOutcome.state`."""
    machine.prepare_jax()
    from miiii.cli.progress.screen import on_screen
    from miiii.cli.progress.study import StudyProgress
    from miiii.studies.train import choose_workers, make_agenda, train_study

    began = time.monotonic()
    task = study.plan.base.task
    print(
        f"study {study.name} in {study.path}: {len(study.plan.runs)} runs, scale "
        f"{study.plan.scale}, preset {study.plan.preset} (p = {task.base}, "
        f"{len(task.task_moduli)} tasks)",
        flush=True,
    )
    workers = choose_workers(arguments.workers)
    agenda = make_agenda(
        study, workers, stop, lambda: to_stderr("compiling, and timing a few epochs …"), experiments
    )
    if agenda is None:
        return "interrupted"
    _print_agenda(study, agenda)
    if arguments.dry_run or not agenda.jobs:
        return "finished"
    with on_screen(StudyProgress) as progress:
        stop.notify = progress.stopping
        outcome = train_study(
            study,
            agenda,
            command=command,
            changed=progress.changed,
            warned=progress.warned,
            stop=stop,
        )
    for problem in outcome.problems:
        to_stderr(f"warning: {problem}")
    if outcome.changed:
        to_stderr(
            f"note: {outcome.changed} of the study's runs went on under other versions, threads or "
            "flags than they began under, and are not bit for bit what they would have been "
            "(miiii show RUN)"
        )
    if outcome.state == "finished":
        print(f"trained in {clock(time.monotonic() - began)}")
    if outcome.state == "elsewhere":
        print("other processes train what is left; the last to end judges the claims")
    return outcome.state


def _print_agenda(study: Study, agenda: "Agenda") -> None:
    """Print the runs of this call: finished ones, those to train, and the time that takes."""
    head, rows = ("experiment", "what", "seeds", "epochs", "state", "time"), []
    seconds = dict.fromkeys(study.plan.configs, 0.0)
    for job, each in zip(agenda.jobs, agenda.job_seconds, strict=True):
        for run in job.runs:
            seconds[run.experiment] += each / len(job.runs)
    others = len(study.plan.runs) - len(agenda.survey.states)
    for key in dict.fromkeys(run.experiment for run, _ in agenda.survey.states):
        config = study.plan.configs[key]
        states = [state for run, state in agenda.survey.states if run.experiment == key]
        words = {"finished": "done", "unfinished": "begun", "missing": "to train"}
        counts = {state: states.count(state) for state in dict.fromkeys(states)}
        rows.append(
            [
                key,
                EXPERIMENTS[key].label if key in EXPERIMENTS else "",
                ", ".join(str(seed) for seed in study.plan.seeds[key]),
                f"{config.training.epochs:,}",
                ", ".join(f"{count} {words.get(state, state)}" for state, count in counts.items()),
                clock(seconds[key]) if seconds[key] else "",
            ]
        )
    print_table(head, rows, whole=head)
    if others:
        print(f"not among --only, left as they are: {others} runs of the study")
    if agenda.jobs:
        runs = sum(len(job.runs) for job in agenda.jobs)
        print(
            f"to train: {runs} runs, {agenda.epochs:,} epochs, about {clock(agenda.seconds)} "
            f"with {agenda.workers} at once",
            flush=True,
        )
    else:
        print("nothing is left to train", flush=True)


def judge_claims(study: Study) -> "Ledger":
    """Measure every run, judge every claim, and write the ledger into the study's directory."""
    from miiii.runs.atomic import write_atomically

    ledger = judge_study(study)
    forms = {"json": ledger.to_json(), "csv": ledger.to_csv(), "md": ledger.to_markdown()}
    for ending, text in forms.items():
        write_atomically(study.path / f"ledger.{ending}", text.encode())
    return ledger


def write_page(study: Study, ledger: "Ledger", command: list[str]) -> Path:
    """Write the study's report; returns its file."""
    from miiii.cli.commands.report import FILE_NAME
    from miiii.report.page.page import write_report

    page = study.path / FILE_NAME
    return write_report(study, ledger, page, progress=to_stderr, command=command)
