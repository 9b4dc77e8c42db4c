"""The ledger's findings as texts, rows and links of the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from miiii.claims.finding import Finding, Quantity
from miiii.claims.ledger import Ledger, value_text
from miiii.claims.text import interval_text, number

MARKS = {"reproduced": "✓", "not reproduced": "✗", "undecided": "?"}
"""Signs of the verdicts, for readers who do not see the colours."""


@dataclass(frozen=True)
class Link:
    """A link to a place on the page."""

    text: str
    anchor: str


@dataclass(frozen=True)
class Row:
    """One statistic of one experiment."""

    name: str
    experiment: str
    value: str
    """Median over seeds, with the spread where they differ."""
    interval: str
    paper: str
    per_seed: tuple[tuple[str, str], ...]
    """(name of the run, its value), seeds ascending."""
    p_value: str
    note: str


@dataclass(frozen=True)
class ClaimCard:
    """One claim on the page."""

    finding: Finding
    headline: tuple[Row, ...]
    """The statistic that decides, of every experiment that has it."""
    rows: tuple[Row, ...]
    """All statistics."""
    evidence: tuple[Link, ...]

    @property
    def mark(self) -> str:
        """The verdict's sign."""
        return MARKS[self.finding.verdict]

    @property
    def kind(self) -> str:
        """The verdict as a word without spaces, for CSS."""
        return self.finding.verdict.replace(" ", "-")


def claim_cards(ledger: Ledger, figures: Mapping[int, Sequence[Link]]) -> tuple[ClaimCard, ...]:
    """The cards of all findings.

    Args:
        ledger: of the study.
        figures: number of a figure to links to it on the page.
    """
    return tuple(
        ClaimCard(
            finding,
            tuple(map(_row, finding.headline)),
            tuple(map(_row, finding.quantities)),
            tuple(link for figure in finding.claim.figures for link in figures.get(figure, ())),
        )
        for finding in ledger.findings
    )


def _row(item: Quantity) -> Row:
    return Row(
        name=item.name,
        experiment=item.experiment,
        value=value_text(item),
        interval=interval_text(item.interval, item.unit),
        paper=item.paper,
        per_seed=tuple(
            (run, number(value, item.unit))
            for run, value in zip(item.runs, item.values, strict=True)
        ),
        p_value=number(item.p_value) if item.p_value == item.p_value else "",
        note=item.note,
    )
