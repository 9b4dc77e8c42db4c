"""From the votes of single runs to a verdict: at least two, all alike, or undecided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from miiii.claims.finding import Finding, Quantity, Verdict
from miiii.claims.measurements import Group, Measurements
from miiii.claims.rules.paper import LEAST_SEEDS, Claim

Stance = Literal["for", "against", "unclear", "silent"]
"""for, against: the run meets one threshold of the rule. unclear: it lies between both. silent: the
rule cannot be applied to it."""
Ballot = tuple[Stance, str]
"""A run's stance, and its numbers or the cause of its silence; no full stop."""

Role = Literal["required", "condition", "contrast", "objection"]
"""required: decides both ways. condition: without it there is nothing to judge, so that anything
but "for" leaves the claim undecided. contrast: a condition that the reason names as well.
objection: counts only where its verdict is against the claim."""


@dataclass(frozen=True)
class Vote:
    """The ballot of one run."""

    seed: int
    stance: Stance
    reason: str


@dataclass(frozen=True)
class Part:
    """One thing that must hold for a claim to hold."""

    name: str
    """An experiment's key, or the quantity that is compared."""
    votes: tuple[Vote, ...]
    role: Role = "required"


def part(
    group: Group,
    vote: Callable[[Measurements], Ballot],
    role: Role = "required",
    *,
    name: str = "",
) -> Part:
    """Collect the votes of all runs of an experiment; the default of the name is its key."""
    votes = tuple(Vote(run.origin.seed, *vote(run)) for run in group)
    return Part(name or group.experiment, votes, role)


def between(value: float, holds_from: float, fails_to: float) -> Stance:
    """Judge a number by two thresholds.

    Args:
        value: what was measured.
        holds_from: the threshold of "for"; values on its far side count as well.
        fails_to: the threshold of "against", likewise.
    """
    rising = holds_from > fails_to
    if (value >= holds_from) if rising else (value <= holds_from):
        return "for"
    if (value <= fails_to) if rising else (value >= fails_to):
        return "against"
    return "unclear"


def part_verdict(item: Part) -> tuple[Verdict, str]:
    """The verdict of one part by itself, and its reason."""
    if not item.votes:
        return "undecided", f"no run of {item.name}"
    speaking = [vote for vote in item.votes if vote.stance != "silent"]
    if len(speaking) < LEAST_SEEDS:
        silent = [vote for vote in item.votes if vote.stance == "silent"]
        cause = f" ({_listed(silent)})" if silent else ""
        return (
            "undecided",
            f"{item.name}: {len(speaking)} of {len(item.votes)} runs can speak, "
            f"{LEAST_SEEDS} are needed{cause}",
        )
    stances = {vote.stance for vote in speaking}
    text = _listed(speaking)
    if stances == {"for"}:
        return "reproduced", f"{item.name}: {text}"
    if stances == {"against"}:
        return "not reproduced", f"{item.name}: {text}"
    if stances == {"unclear"}:
        return "undecided", f"{item.name} lies between the thresholds: {text}"
    count = sum(vote.stance == "for" for vote in speaking)
    return "undecided", f"{item.name}: {count} of {len(speaking)} runs hold: {text}"


def decide(claim: Claim, parts: Sequence[Part], quantities: Sequence[Quantity]) -> Finding:
    """Join the parts of a claim.

    In this order: undecided where a condition is not met; not reproduced where a required part or
    an objection is against it; reproduced where every required part holds; else undecided.
    """

    def finding(verdict: Verdict, reason: str) -> Finding:
        return Finding(claim, verdict, f"{reason}.", tuple(quantities))

    judged = [(item, *part_verdict(item)) for item in parts]
    for item, verdict, reason in judged:
        if item.role in ("condition", "contrast") and verdict != "reproduced":
            return finding("undecided", f"There is nothing to judge: {reason}")
    for _, verdict, reason in judged:
        if verdict == "not reproduced":
            return finding(verdict, reason)
    for item, verdict, reason in judged:
        if item.role == "required" and verdict == "undecided":
            return finding(verdict, reason)
    reasons = [reason for item, _, reason in judged if item.role == "required"]
    reasons += [f"against {reason}" for item, _, reason in judged if item.role == "contrast"]
    return finding("reproduced", "; ".join(reasons))


def _listed(votes: Sequence[Vote]) -> str:
    """The first four reasons, each with its seeds, and the number of the remaining runs."""
    grouped: dict[str, list[str]] = {}
    for vote in votes:
        grouped.setdefault(vote.reason, []).append(str(vote.seed))
    shown = [
        f"{reason} (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})"
        for reason, seeds in grouped.items()
    ]
    if len(shown) > 4:
        rest = sum(map(len, list(grouped.values())[4:]))
        shown[4:] = [f"and {rest} more runs"]
    return ", ".join(shown)
