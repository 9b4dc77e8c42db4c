"""The digits that heads look at, and when gradients of attention come to rest: C14 and C15."""

import math
from collections.abc import Sequence

import numpy as np

from miiii.claims.deciding import Ballot, decide, part
from miiii.claims.evidence import Evidence, has_generalised, not_generalised, when_generalised
from miiii.claims.finding import Finding, quantity, within
from miiii.claims.measurements import Heads, Measurements
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS
from miiii.claims.text import epoch_text, percent

ATTENTION = ("query", "key", "value", "output")
MLP = ("mlp_in", "mlp_out")
"""Weights of a block, by the last part of their name."""


def heads_look_at_one_digit(evidence: Evidence) -> Finding:
    """C14: each head's preference for a digit."""
    runs, nanda = evidence.of("miiii"), evidence.of("nanda")

    def judge(found: Heads) -> Ballot:
        chosen = one_digit_heads(found)
        count, heads = len(chosen), len(found.to_x0)
        on_x0 = sum(digit == 0 for digit in chosen)
        text = (
            f"{count} of {heads} heads look at one digit, {on_x0} at x0 and {count - on_x0} at x1"
        )
        if count < rules.HEADS_AGAINST * heads:
            return "against", text
        return ("for" if count == heads and 0 < on_x0 < count else "unclear"), text

    return decide(
        CLAIMS["C14"],
        [part(runs, when_generalised("heads", "its attention was not measured", judge))],
        [
            item
            for group, paper in ((runs, "all four (by eye)"), (nanda, '"may focus jointly"'))
            for item in (
                quantity(
                    "share of heads that look at one digit",
                    group,
                    within("heads", lambda it: len(one_digit_heads(it)) / len(it.to_x0)),
                    paper=paper,
                ),
                quantity(
                    "smallest preference of a head",
                    group,
                    within("heads", lambda it: min(preferences(it))),
                ),
                quantity(
                    "largest entropy of a head",
                    group,
                    within("heads", lambda it: max(it.entropy)),
                    unit="nats",
                ),
            )
        ],
    )


def preferences(heads: Heads) -> list[float]:
    """Per head |to x0 − to x1| / (to x0 + to x1), 0 to 1; 0 where both are 0."""
    pairs = zip(heads.to_x0, heads.to_x1, strict=True)
    return [abs(one - other) / (one + other) if one + other > 0 else 0.0 for one, other in pairs]


def one_digit_heads(heads: Heads) -> list[int]:
    """The digits, 0 or 1, of the heads that look at one digit."""
    rows = zip(heads.to_x0, heads.to_x1, preferences(heads), strict=True)
    return [
        int(one < other)
        for one, other, preference in rows
        if preference >= rules.ONE_DIGIT and one + other >= rules.ON_DIGITS
    ]


def attention_settles_early(evidence: Evidence) -> Finding:
    """C15: when attention's gradients come to rest, against the MLP's."""
    runs, rest = evidence.of("miiii"), percent(rules.AT_REST)

    def vote(run: Measurements) -> Ballot:
        if not run.origin.finished:
            return "silent", f"it is at epoch {run.origin.epoch:,} of {run.origin.epochs:,}"
        if not has_generalised(run):
            return not_generalised(run)
        attention, mlp = settled(run, ATTENTION), settled(run, MLP)
        text = (
            f"attention rests from epoch {epoch_text(attention)}, the MLP from "
            f"{epoch_text(mlp)}, of {run.origin.epoch:,}"
        )
        if math.isinf(attention) or attention >= mlp:
            return "against", text
        early = attention <= rules.EARLY * run.origin.epoch and attention <= rules.EARLIER * mlp
        return ("for" if early else "unclear"), text

    return decide(
        CLAIMS["C15"],
        [part(runs, vote)],
        [
            quantity(
                f"epoch from which {name} gradients stay below {rest} of their peak",
                runs,
                lambda run, weights=weights: settled(run, weights),
                unit="epochs",
                paper=paper,
            )
            for name, weights, paper in (
                ("attention's", ATTENTION, "early (no number)"),
                ("the MLP's", MLP, "later (no number)"),
                ("the unembedding's", ("unembedding",), ""),
                ("the token embedding's", ("token_embedding",), ""),
            )
        ],
    )


def settled(run: Measurements, weights: Sequence[str]) -> float:
    """Median over `weights` of the epoch from which a gradient rests; never resting is infinite."""
    epochs = [
        math.inf if epoch is None else float(epoch)
        for name, epoch in zip(run.gradients.names, run.gradients.settled, strict=True)
        if name.split(".")[-1] in weights
    ]
    return float(np.median(epochs)) if epochs else math.inf
