"""`miiii ledger`: which of the paper's claims hold in a study."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.status import Status
from rich.table import Table
from rich.text import Text

from miiii.cli import machine
from miiii.cli.arguments import parse
from miiii.cli.console import live_console, print_out, to_stderr
from miiii.cli.tables import chosen_form
from miiii.studies.study import Study, open_study

if TYPE_CHECKING:
    from miiii.claims.finding import Finding
    from miiii.claims.ledger import Ledger
    from miiii.results.store import StudyProgress

COLOURS = {"reproduced": "green", "not reproduced": "red", "undecided": "yellow"}


@dataclass(frozen=True)
class LedgerArguments:
    """Judge the paper's nineteen claims on a study: statistic, spread over seeds, verdict, reason.

    Questions of the further work (B1, B2, …) come below them if the study has runs for them. Each
    verdict follows a rule that was written before any run (--markdown prints the rules).
    Measurements are kept beside each run, so that the next call takes seconds.
    """

    study: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the study, or its path."""
    studies_dir: Path = Path("studies")
    """The directory that holds the studies."""
    json: bool = False
    """Print everything as JSON on stdout."""
    csv: bool = False
    """Print one row per statistic as CSV on stdout."""
    markdown: bool = False
    """Print the claims with their rules and evidence as Markdown on stdout."""


def ledger_command(words: list[str]) -> int:
    """Run `miiii ledger`; returns the exit code."""
    arguments = parse(LedgerArguments, words, "miiii ledger")
    form = chosen_form(arguments)
    study = open_study(arguments.study, arguments.studies_dir)  # A bad name fails before JAX loads.
    machine.prepare_jax()
    ledger = judge_study(study)
    written = {"csv": ledger.to_csv, "markdown": ledger.to_markdown}
    if form == "json":
        print(ledger.to_json())
    elif form in written:
        print(written[form](), end="")
    else:
        print_out(ledger_table(ledger))
        print()
        print_summary(ledger)
    return 0


def judge_study(study: Study) -> "Ledger":
    """Measure the runs that have no measurements yet, and judge every claim."""
    from miiii.claims.judge import judge
    from miiii.results.store import measure_runs

    with measuring() as progress:
        return judge(measure_runs(study.runs(), progress), study.name)


def print_summary(ledger: "Ledger") -> None:
    """Print how many claims hold, and the caveats of the verdicts."""
    print(ledger.summary)
    if ledger.standing:
        print(ledger.standing)


@contextmanager
def measuring() -> "Iterator[StudyProgress]":
    """Show which run is measured: one changing line on a terminal, one line per run elsewhere."""
    console, seen = live_console(), set()
    with Status("", console=console) if console else nullcontext() as status:

        def progress(run: str, done: int, count: int) -> None:
            if status is not None:
                share = f", snapshot {done} of {count}" if done else ""
                status.update(f"measuring {run}{share}")
            elif run not in seen:
                to_stderr(f"measuring {run}")
            seen.add(run)

        yield progress


def ledger_table(ledger: "Ledger") -> Table:
    """One row per claim: verdict, statistic, value with spread, the paper's value, seeds."""
    table = Table(box=None, pad_edge=False, show_lines=False, padding=(0, 1, 1, 0))
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim, and reason for the verdict", ratio=4, overflow="fold")
    table.add_column("statistic", ratio=2, overflow="fold")
    table.add_column("value (spread over seeds)", ratio=2, overflow="fold")
    table.add_column("paper", ratio=2, overflow="fold")
    table.add_column("seeds", justify="right", no_wrap=True)
    groups = [*ledger.groups, ("Questions of the further work", ledger.questions)]
    several = sum(bool(findings) for _, findings in groups) > 1
    for heading, findings in groups:
        if findings and (several or not heading.startswith("No runs")):
            table.add_row("", "", Text(heading, style="bold"), "", "", "", "")
        for finding in findings:
            table.add_row(*_cells(finding))
    return table


def _cells(finding: "Finding") -> list[Text]:
    from miiii.claims.ledger import value_text

    shown = finding.headline
    several = len(shown) > 1

    def lines(texts: list[str]) -> Text:
        if several:
            pairs = zip(shown, texts, strict=True)
            texts = [f"{item.experiment}: {text}" for item, text in pairs]
        return Text("\n".join(texts))

    # Text, not str, because Rich would read brackets in a reason as markup.
    claim = Text(finding.claim.claim)
    claim.append(f"\n{finding.reason}", style="dim")
    return [
        Text(finding.id),
        Text(finding.answer, style=COLOURS[finding.verdict]),
        claim,
        Text(shown[0].name),
        lines([value_text(item) for item in shown]),
        lines([item.paper or "–" for item in shown]),
        Text("\n".join(str(len(item.known)) for item in shown)),
    ]
