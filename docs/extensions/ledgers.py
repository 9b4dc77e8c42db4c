"""The directive `{ledgers}`: every committed ledger, `results/*/ledger.json`, claim by claim.

The figures on the page are therefore those that `miiii ledger --json` printed, and no others.
"""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from miiii.claims.settings import departures
from miiii.studies.study import FILE_NAME
from miiii.studies.studyfile import plan_from_toml

RESULTS = Path(__file__).parents[2] / "results"
HEAD = ("claim", "verdict", "what the runs say", "the paper")


def ledgers() -> list[Path]:
    """The committed ledgers, in order of their folders' names."""
    return sorted(RESULTS.glob("*/ledger.json"))


def rows(ledger: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """One row per claim, with the columns of `HEAD`."""
    found = []
    for finding in ledger["findings"]:
        first = finding["quantities"][0]["name"]
        said = {
            item["experiment"]: item["paper"]
            for item in finding["quantities"]
            if item["name"] == first and item["paper"]
        }
        several = [f"{experiment}: {paper}" for experiment, paper in said.items()]
        paper = "; ".join(several if len(said) > 1 else said.values()) or "–"
        claim = f"{finding['id']}: {finding['claim']}"
        found.append((claim, finding["verdict"], finding["reason"], paper))
    return found


def judged_under(folder: Path, ledger: dict[str, Any]) -> str:
    """Under which optimiser and loss the verdicts stand.

    A ledger of an earlier version does not say it; the study's file tells the settings.
    """
    if "judged_under" in ledger:
        return str(ledger["judged_under"])
    plan, _ = plan_from_toml((folder / FILE_NAME).read_text(encoding="utf-8"))
    settings = SimpleNamespace(**asdict(plan.base.optim), **asdict(plan.base.training))
    found = departures(settings)  # pyright: ignore[reportArgumentType]
    if found:
        return f"judged under {', '.join(found)}: not the paper's optimiser and loss"
    return "judged under the paper's optimiser and loss"


def title(ledger: dict[str, Any]) -> str:
    """Study, size and seeds in a line."""
    runs = next(item for item in ledger["experiments"] if item["experiment"] == "miiii")
    seeds = ", ".join(map(str, runs["seeds"]))
    return f"Study {ledger['study']}: p = {runs['base']}, width {runs['width']}, seeds {seeds}"


class Ledgers(SphinxDirective):
    """A section with a table for every ledger."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        made: list[nodes.Node] = []
        for path in ledgers():
            self.env.note_dependency(str(path))
            ledger = json.loads(path.read_text(encoding="utf-8"))
            name = path.parent.name
            section = nodes.section(ids=[f"study-{name}"], names=[f"study {name}"])
            section += nodes.title("", title(ledger))
            standing = judged_under(path.parent, ledger)
            counts = ", ".join(f"{count} {verdict}" for verdict, count in ledger["counts"].items())
            command, file = f"miiii ledger {ledger['study']} --json", f"results/{name}/{path.name}"
            section += nodes.paragraph(
                "",
                "",
                nodes.Text(f"{counts}; {standing}. Printed by "),
                nodes.literal(command, command),
                nodes.Text(" from the study of the same name; kept as "),
                nodes.literal(file, file),
                nodes.Text("."),
            )
            section += _table(rows(ledger))
            made.append(section)
        return made


def _table(body: list[tuple[str, str, str, str]]) -> nodes.table:
    group = nodes.tgroup(cols=len(HEAD))
    for width in (26, 12, 42, 20):
        group += nodes.colspec(colwidth=width)
    group += nodes.thead("", _row(HEAD))
    group += nodes.tbody("", *[_row(row) for row in body])
    return nodes.table("", group)


def _row(cells: tuple[str, ...]) -> nodes.row:
    return nodes.row("", *[nodes.entry("", nodes.paragraph("", text)) for text in cells])


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("ledgers", Ledgers)
    return {"parallel_read_safe": True}
