"""`miiii report`: a study's page, or its export."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from miiii.cli import machine
from miiii.cli.arguments import UsageError, parse
from miiii.cli.checks import only_one
from miiii.cli.console import timed
from miiii.studies.study import open_study

FILE_NAME = "report.html"


@dataclass(frozen=True)
class ReportArguments:
    """Write a study's report: its claims, curves, figures and settings on one page.

    The page is one file that needs no network. It names the parts that need a missing run.
    """

    study: tyro.conf.Positional[str] = field(metadata={"option": None})
    """Name of the study, or its path."""
    output: Path | None = None
    """The page's file; default: report.html in the study's directory."""
    export: Path | None = None
    """Instead of the page, write a small folder to keep: ledger, per-task epochs, the figures of
    the claims, settings and versions, as Markdown, JSON, CSV and pictures."""
    studies_dir: Path = Path("studies")
    """The directory that holds the studies."""
    json: bool = False
    """Print the page's path and the verdicts' counts as JSON on stdout."""


def report_command(words: list[str]) -> int:
    """Run `miiii report`; returns the exit code."""
    arguments = parse(ReportArguments, words, "miiii report")
    study = open_study(arguments.study, arguments.studies_dir)
    only_one(arguments, "export", "output")
    if arguments.export is not None and arguments.export.is_file():
        raise UsageError(f"--export is {str(arguments.export)!r}: it must be a directory")
    output = arguments.output or study.path / FILE_NAME
    if output.is_dir():
        raise UsageError(f"--output is {str(output)!r}: it must be a file, and is a directory")

    machine.prepare_jax()
    from miiii.cli.commands.ledger import judge_study, print_summary
    from miiii.report.export import export_study
    from miiii.report.page.page import write_report

    progress = timed()
    ledger = judge_study(study)
    command = ["miiii", "report", *words]
    if arguments.export is None:
        write_report(study, ledger, output, progress=progress, command=command)
    else:
        output = export_study(study, ledger, arguments.export, progress=progress, command=command)[
            0
        ]
    if arguments.json:
        print(json.dumps({"report": str(output), "counts": ledger.counts}, indent=2))
    else:
        print_summary(ledger)
        print(f"report: {output}")
    return 0
