"""From what single runs say to a verdict: unanimity of at least two, or undecided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from miiii.claims.finding import Finding, Quantity, Verdict
from miiii.claims.measurements import Measurements
from miiii.claims.rules.paper import LEAST_SEEDS, Claim

Says = Literal["for", "against", "unclear", "silent"]
"""A run speaks for or against the claim, lies between the thresholds, or cannot speak at all."""


Role = Literal["required", "condition", "contrast", "objection"]
"""required: decides both ways. condition: without it there is nothing to judge, so that anything
but "for" leaves the claim undecided. contrast: a condition that belongs to the reason. objection:
counts only where it is against."""


@dataclass(frozen=True)
class Vote:
    """What one run says."""

    seed: int
    says: Says
    why: str
    """Its numbers, or why it is silent; no full stop."""


@dataclass(frozen=True)
class Part:
    """One thing that must hold for a claim to hold."""

    of: str
    """Whose votes: an experiment's key, or what was compared."""
    votes: tuple[Vote, ...]
    role: Role = "required"
    least: int = LEAST_SEEDS
    """Votes that it takes."""


def part(
    of: str,
    runs: Sequence[Measurements],
    say: Callable[[Measurements], tuple[Says, str]],
    role: Role = "required",
) -> Part:
    """Ask every run of an experiment."""
    return Part(of, tuple(Vote(run.origin.seed, *say(run)) for run in runs), role)


def between(value: float, holds_from: float, fails_to: float) -> Says:
    """Judge a number by two thresholds.

    Args:
        value: what was measured.
        holds_from: at or beyond this the claim holds.
        fails_to: at or beyond this, on the other side, it fails.
    """
    rising = holds_from > fails_to
    if (value >= holds_from) if rising else (value <= holds_from):
        return "for"
    if (value <= fails_to) if rising else (value >= fails_to):
        return "against"
    return "unclear"


def standing(item: Part) -> tuple[Verdict, str]:
    """A part's own verdict, and its reason."""
    if not item.votes:
        return "undecided", f"no run of {item.of}"
    speaking = [vote for vote in item.votes if vote.says != "silent"]
    if len(speaking) < item.least:
        silent = [vote for vote in item.votes if vote.says == "silent"]
        cause = f" ({_listed(silent)})" if silent else ""
        return (
            "undecided",
            f"{item.of}: {len(speaking)} of {len(item.votes)} runs can speak, "
            f"{item.least} are needed{cause}",
        )
    said = {vote.says for vote in speaking}
    text = f"{item.of}: {_listed(speaking)}"
    if said == {"for"}:
        return "reproduced", text
    if said == {"against"}:
        return "not reproduced", text
    if said == {"unclear"}:
        return "undecided", f"{item.of} lies between the thresholds: {_listed(speaking)}"
    count = sum(vote.says == "for" for vote in speaking)
    return "undecided", f"{item.of}: {count} of {len(speaking)} runs hold: {_listed(speaking)}"


def decide(claim: Claim, parts: Sequence[Part], quantities: Sequence[Quantity]) -> Finding:
    """Join the parts of a claim.

    It is undecided where a condition is not met; else not reproduced where a required part or an
    objection is against it; else reproduced where every required part holds.
    """

    def finding(verdict: Verdict, reason: str) -> Finding:
        return Finding(claim, verdict, f"{reason}.", tuple(quantities))

    judged = [(item, *standing(item)) for item in parts]
    for item, verdict, reason in judged:
        if item.role in ("condition", "contrast") and verdict != "reproduced":
            return finding("undecided", f"There is nothing to judge: {reason}")
    for _, verdict, reason in judged:
        if verdict == "not reproduced":
            return finding(verdict, reason)
    for item, verdict, reason in judged:
        if item.role == "required" and verdict == "undecided":
            return finding(verdict, reason)
    told = [reason for item, _, reason in judged if item.role == "required"]
    told += [f"against {reason}" for item, _, reason in judged if item.role == "contrast"]
    return finding("reproduced", "; ".join(told))


def _listed(votes: Sequence[Vote]) -> str:
    """Seeds that say the same in one breath; the reader of many finds the rest in the values."""
    whys = dict.fromkeys(vote.why for vote in votes)
    grouped = [(why, [str(vote.seed) for vote in votes if vote.why == why]) for why in whys]
    shown = [
        f"{why} (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})"
        for why, seeds in grouped[:4]
    ]
    if len(grouped) > 4:
        shown.append(f"and {sum(len(seeds) for _, seeds in grouped[4:])} more runs")
    return ", ".join(shown)
