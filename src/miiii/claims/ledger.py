"""The ledger: every claim's finding, the runs behind it, and how many claims hold."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from miiii.claims.finding import ANSWERS, VERDICTS, Finding, Quantity, Verdict
from miiii.claims.plain import to_plain
from miiii.claims.text import interval_text, number, spread_text
from miiii.markup import csv_text, heading, markdown_table, table

VERSION = 1
"""Of the JSON form."""

COLUMNS = (
    *("claim", "verdict", "statement", "where", "figures", "reason"),
    *("statistic", "unit", "experiment", "median", "lowest", "highest"),
    *("interval_low", "interval_high", "interval_coverage", "interval_method", "p_value"),
    *("paper", "note", "runs", "seeds", "values", "judged_under"),
)
"""Of the CSV form: one row per quantity."""


@dataclass(frozen=True)
class ExperimentSummary:
    """The runs of one experiment; settings are those of its first run."""

    experiment: str
    task: str
    base: int
    width: int
    seeds: tuple[int, ...]
    epochs: tuple[int, ...]
    """Last epoch of each run."""
    generalised: tuple[bool, ...]
    """Whether each run has."""
    optimiser: str
    learning_rate: float
    weight_decay: float
    filter_strength: float
    dropout: float
    train_fraction: float
    masked: tuple[int, ...]
    precision: str
    device: str


@dataclass(frozen=True)
class Ledger:
    """All claims, judged on one study."""

    study: str
    """The study's name."""
    findings: tuple[Finding, ...]
    """C1 to C19, then the questions of the further work that have runs."""
    experiments: tuple[ExperimentSummary, ...]
    """Those that have runs."""
    versions: dict[str, str]
    """Of packages, with all versions where runs differ."""
    beside: str = ""
    """T_miiii's size and learning rate where they differ from the paper's."""

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many of the paper's claims have each verdict."""
        return _counts(self.claims)

    @property
    def counts_under_papers_settings(self) -> dict[Verdict, int]:
        """The same of the claims that were judged under the paper's optimiser and loss."""
        return _counts(it for it in self.claims if it.under is not None and it.under.papers)

    @property
    def claims(self) -> tuple[Finding, ...]:
        """Those of the paper's claims, C1 to C19."""
        return tuple(finding for finding in self.findings if not finding.claim.beyond)

    @property
    def questions(self) -> tuple[Finding, ...]:
        """Those of its further work's questions that have runs."""
        return tuple(finding for finding in self.findings if finding.claim.beyond)

    @property
    def groups(self) -> tuple[tuple[str, tuple[Finding, ...]], ...]:
        """The paper's claims by the optimiser and loss of their runs: (heading, findings).

        Those under the paper's optimiser and loss come first: only these verdicts are about the
        paper's training. No group is empty.
        """
        found: dict[str, list[Finding]] = {}
        for finding in sorted(self.claims, key=_place):
            found.setdefault(_heading(finding), []).append(finding)
        return tuple((title, tuple(findings)) for title, findings in found.items())

    @property
    def standing(self) -> str:
        """The optimiser and loss behind the verdicts, one line; "" where no claim has a run."""
        judged = [finding for finding in self.claims if finding.under is not None]
        if not judged:
            return ""
        own = sum(self.counts_under_papers_settings.values())
        others = dict.fromkeys(it.under.text for it in judged if it.under and not it.under.papers)
        parts = []
        if own:
            counts = self.counts_under_papers_settings.items()
            shown = ", ".join(f"{count} {verdict}" for verdict, count in counts)
            parts.append(f"under the paper's optimiser and loss: {shown}")
        if others:
            parts.append(
                f"{len(judged) - own} judged under {'; '.join(others)}: "
                "not the paper's optimiser and loss"
            )
        return "; ".join(parts) + (f"; {self.beside}" if self.beside else "")

    @property
    def answers(self) -> dict[str, int]:
        """How many questions have each answer; empty without questions."""
        found = [finding.answer for finding in self.questions]
        return {answer: found.count(answer) for answer in ANSWERS.values()} if found else {}

    @property
    def summary(self) -> str:
        """One line: the counts."""
        parts = ", ".join(f"{count} {verdict}" for verdict, count in self.counts.items())
        text = f"{len(self.claims)} claims: {parts}"
        if self.questions:
            answers = ", ".join(f"{count} {answer}" for answer, count in self.answers.items())
            count = len(self.questions)
            noun = "question" if count == 1 else "questions"
            text += f"; {count} {noun} of the further work: {answers}"
        return text

    def to_json(self) -> str:
        """Everything, as JSON text; NaN is null, infinite epochs are "inf"."""
        record = {
            "version": VERSION,
            "study": self.study,
            "counts": self.counts,
            "counts_under_papers_settings": self.counts_under_papers_settings,
            "judged_under": self.standing,
            **({"answers": self.answers} if self.questions else {}),
            "experiments": to_plain(self.experiments),
            "versions": self.versions,
            "findings": [_record(finding) for finding in self.findings],
        }
        return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """One row per quantity, with a header; see `COLUMNS`."""
        rows = [_row(finding, item) for finding in self.findings for item in finding.quantities]
        return csv_text(COLUMNS, rows)

    def _repr_html_(self) -> str:
        """A row per claim: verdict and reason."""
        head = ("claim", "", "verdict", "why", "judged under")
        rows = [
            (it.id, it.claim.claim, it.answer, it.reason, it.under.text if it.under else "–")
            for it in self.findings
        ]
        return heading(f"Ledger of {self.study}", self.summary) + table(head, rows)

    def to_markdown(self) -> str:
        """A table of the claims, then each with its rule and evidence."""
        lines = [f"# Ledger of {self.study}", "", self.summary + ".", ""]
        if self.standing:
            lines += [_sentence(self.standing), ""]
        groups = [*self.groups, ("Questions of the further work", self.questions)]
        for title, findings in groups:
            if findings:
                lines += [f"## {title}", "", *_claim_table(findings), ""]
        lines.pop()
        lines += ["", "## Runs", "", *_experiment_table(self.experiments)]
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines += ["", f"Versions: {versions}.", "", "## Claims"]
        for finding in self.findings:
            lines += ["", *_section(finding)]
        return "\n".join(lines) + "\n"


def _counts(findings: Iterable[Finding]) -> dict[Verdict, int]:
    verdicts = [finding.verdict for finding in findings]
    return {verdict: verdicts.count(verdict) for verdict in VERDICTS}


def value_text(item: Quantity) -> str:
    """The median over seeds, with the spread where seeds differ and the unit."""
    text = number(item.median, item.unit)
    if len(item.known) > 1 and item.lowest != item.highest:
        text += f" ({spread_text(item.lowest, item.highest, item.unit)})"
    return f"{text} {item.unit}".rstrip() if item.known and item.unit != "epochs" else text


def _place(finding: Finding) -> int:
    """The place of a finding's heading; the sort is stable, so that claims keep their order."""
    if finding.under is None:
        return 2
    return 0 if finding.under.papers else 1


def _heading(finding: Finding) -> str:
    if finding.under is None:
        return "No runs"
    if finding.under.papers:
        return "Under the paper's optimiser and loss"
    return f"Judged under {finding.under.text}: not the paper's optimiser and loss"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _claim_table(findings: tuple[Finding, ...]) -> list[str]:
    """A row per claim."""
    rows = []
    for finding in findings:
        shown = finding.headline
        cells = (
            finding.id,
            finding.claim.claim,
            f"**{finding.answer}**",
            shown[0].name,
            "; ".join(f"{item.experiment}: {value_text(item)}" for item in shown),
            "; ".join(f"{item.experiment}: {item.paper}" for item in shown if item.paper),
        )
        rows.append(cells)
    return markdown_table(("claim", "", "verdict", "statistic", "value", "paper"), rows)


def _record(finding: Finding) -> dict[str, Any]:
    under = finding.under
    return {
        **to_plain(finding.claim),
        "verdict": finding.answer,
        "reason": finding.reason,
        "judged_under": under and {"papers": under.papers, **to_plain(under)},
        "runs": list(finding.runs),
        "quantities": [
            {
                **to_plain(item),
                **to_plain({"median": item.median, "lowest": item.lowest, "highest": item.highest}),
            }
            for item in finding.quantities
        ],
    }


def _row(finding: Finding, item: Quantity) -> list[Any]:
    interval = item.interval
    ends = (
        ("", "", "", "")
        if interval is None
        else (interval.low, interval.high, interval.coverage, interval.method)
    )
    row = (
        *(finding.id, finding.answer, finding.claim.claim, finding.claim.where),
        *(" ".join(map(str, finding.claim.figures)), finding.reason),
        *(item.name, item.unit, item.experiment, item.median, item.lowest, item.highest),
        *ends,
        *(item.p_value, item.paper, item.note, " ".join(item.runs)),
        *(" ".join(map(str, item.seeds)), " ".join(repr(value) for value in item.values)),
        "" if finding.under is None else finding.under.text,
    )
    return ["" if value != value else value for value in row]


def _experiment_table(experiments: tuple[ExperimentSummary, ...]) -> list[str]:
    names = (
        *("experiment", "task", "p", "width", "seeds", "epochs", "generalised"),
        *("optimiser", "learning rate", "λ", "dropout", "weight decay", "training share", "masked"),
    )
    rows = [
        (
            *(it.experiment, it.task, str(it.base), str(it.width)),
            ", ".join(map(str, it.seeds)),
            spread_text(min(it.epochs), max(it.epochs)),
            f"{sum(it.generalised)} of {len(it.generalised)}",
            it.optimiser,
            *map(number, (it.learning_rate, it.filter_strength, it.dropout, it.weight_decay)),
            number(it.train_fraction),
            ", ".join(map(str, it.masked)) or "–",
        )
        for it in experiments
    ]
    return markdown_table(names, rows)


def _section(finding: Finding) -> list[str]:
    claim = finding.claim
    figures = ", ".join(map(str, claim.figures))
    pictures = f"; pictures: Figure{'s' if len(claim.figures) > 1 else ''} {figures}"
    yes, no = ("Yes", "No") if claim.beyond else ("Reproduced", "Not reproduced")
    lines = [
        f"### {claim.id}: {claim.claim}",
        "",
        f"**{finding.answer}**. {finding.reason}",
        "",
        *([] if finding.under is None else [f"- Judged under: {finding.under.text}"]),
        f"- Where: {claim.where}{pictures if figures else ''}",
        f"- Statistic: {claim.statistic}",
        f"- {yes}: {claim.reproduced}",
        f"- {no}: {claim.not_reproduced}",
        f"- Undecided: {claim.undecided}",
        "",
    ]
    rows = []
    for item in finding.quantities:
        per_seed = ", ".join(
            f"{seed}: {number(value, item.unit)}"
            for seed, value in zip(item.seeds, item.values, strict=True)
        )
        name = item.name
        if item.p_value == item.p_value:
            name += f"; p = {number(item.p_value)}"
        name += f" ({item.note})" if item.note else ""
        cells = (
            *(name, item.experiment, value_text(item), interval_text(item.interval, item.unit)),
            *(item.paper or "–", per_seed or "–"),
        )
        rows.append(cells)
    head = ("statistic", "experiment", "median (spread)", "interval", "paper", "per seed")
    return lines + markdown_table(head, rows)
