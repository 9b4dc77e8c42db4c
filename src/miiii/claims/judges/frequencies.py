"""When significant frequencies appear, and how many: C9 and C17."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from miiii.claims.deciding import Ballot, Stance, decide, part
from miiii.claims.evidence import (
    Evidence,
    generalisation_epoch,
    has_first_four,
    has_generalised,
    held_from,
    is_measured,
    later_tasks,
    share_held,
    when_generalised,
)
from miiii.claims.finding import Finding, quantity, within
from miiii.claims.measurements import Frequencies, Measurements
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS, FIRST_FOUR, PAPER_BASE
from miiii.claims.text import epoch_text, number, percent

NOT_FOLLOWED = "its frequencies were not followed"


@dataclass(frozen=True)
class Counts:
    """Both counts at one snapshot."""

    epoch: int
    """Of the snapshot."""
    rule: int
    """Above μ + 2σ."""
    calibrated: int
    """Above everything that renamed digits reach."""


Moment = Callable[[Measurements], Counts | None]
"""The counts of a run at one moment of its training; None where there are none."""

READY = when_generalised("frequencies", NOT_FOLLOWED, is_measured)
"""The condition that a run's frequencies were followed and that it generalised."""


def frequencies_appear_afterwards(evidence: Evidence) -> Finding:
    """C9: the counts at generalisation against those at the end."""
    runs = evidence.of("miiii")
    moments = (
        ("at the end", at_end, str(rules.PAPER_COUNT_END)),
        ("at generalisation", at_generalisation, "below it (Figure 8)"),
        ("when the first four tasks hold", at_first_four, str(rules.PAPER_COUNT_FIRST_FOUR)),
    )
    quantities = [
        quantity(
            f"frequencies above {name} {when}",
            runs,
            _count(moment, which),
            paper=f"{paper} (p = {PAPER_BASE})" if which == "rule" else "",
        )
        for which, name in (("rule", "μ + 2σ"), ("calibrated", "renamed digits"))
        for when, moment, paper in moments
    ]
    quantities.append(
        quantity(
            "frequencies above μ + 2σ at the end with digits renamed, mean",
            runs,
            within("frequencies", lambda it: it.null_counts[-1]),
            note="what the paper's rule finds by chance",
        )
    )
    return decide(CLAIMS["C9"], [part(runs, _appear)], quantities)


def _appear(run: Measurements) -> Ballot:
    stance, reason = READY(run)
    if stance == "silent":
        return stance, reason
    before, end = at_generalisation(run), at_end(run)
    if before is None or end is None or end.epoch <= generalisation_epoch(run):
        return "silent", "no snapshot is later than generalisation"
    text = (
        f"{before.calibrated} calibrated frequencies at generalisation and {end.calibrated} at the "
        f"end, by the paper's rule {before.rule} and {end.rule}"
    )
    if end.calibrated == 0 or before.calibrated > rules.BEFORE_SHARE * end.calibrated:
        return "against", text
    later = all(
        last - first >= rules.APPEARED and first <= rules.BEFORE_SHARE * last
        for first, last in ((before.calibrated, end.calibrated), (before.rule, end.rule))
    )
    return ("for" if later and _paper_numbers(run) else "unclear"), text


def _paper_numbers(run: Measurements) -> bool:
    """Whether the counts match the paper's 9 and 4; true at any p but the paper's."""
    if run.origin.base != PAPER_BASE:
        return True
    end, four = at_end(run), at_first_four(run)
    if end is None or four is None:
        return False
    pairs = ((end.rule, rules.PAPER_COUNT_END), (four.rule, rules.PAPER_COUNT_FIRST_FOUR))
    return all(
        paper / rules.COUNT_FACTOR <= count <= paper * rules.COUNT_FACTOR for count, paper in pairs
    )


def first_four_count_like_nanda(evidence: Evidence) -> Finding:
    """C17: the counts when the first four tasks hold, against T_nanda's."""
    runs, nanda = evidence.of("miiii"), evidence.of("nanda")
    ready = nanda.where(lambda run: has_generalised(run) and run.frequencies is not None)
    ends = [end for run in ready if (end := at_end(run)) is not None]
    usual = {
        which: float(np.median([getattr(end, which) for end in ends])) if ends else math.nan
        for which in ("rule", "calibrated")
    }

    def vote(run: Measurements) -> Ballot:
        counts = _counts_at_first_four(run)
        if isinstance(counts, str):
            return "silent", counts
        text = (
            f"{counts.rule} by the paper's rule and {counts.calibrated} calibrated at epoch "
            f"{counts.epoch:,}, T_nanda {number(usual['rule'])} and {number(usual['calibrated'])}"
        )
        by_rule = _alike(counts.rule, usual["rule"])
        calibrated = _alike(counts.calibrated, usual["calibrated"])
        return (by_rule if by_rule == calibrated else "unclear"), text

    return decide(
        CLAIMS["C17"],
        [part(nanda, READY, "condition"), part(runs, vote)],
        [
            quantity(
                f"frequencies above {name} {when}",
                group,
                _count(moment, which),
                paper=paper if which == "rule" else "",
            )
            for which, name in (("rule", "μ + 2σ"), ("calibrated", "renamed digits"))
            for group, when, moment, paper in (
                (runs, "when the first four tasks hold", at_first_four, "4"),
                (ready, "at the end", at_end, '"similar"'),
            )
        ],
    )


def _count(moment: Moment, which: str) -> Callable[[Measurements], int | None]:
    """One of the counts at a moment of each run."""

    def value(run: Measurements) -> int | None:
        counts = moment(run)
        return None if counts is None else getattr(counts, which)

    return value


def _alike(count: float, usual: float) -> Stance:
    if abs(count - usual) <= max(rules.SAME_COUNT, usual / 4):
        return "for"
    factor = rules.COUNT_FACTOR
    return "against" if count > factor * usual or count < usual / factor else "unclear"


def _counts_at_first_four(run: Measurements) -> Counts | str:
    """The counts when the first four tasks hold, or why the rule cannot use them."""
    if run.frequencies is None:
        return NOT_FOLLOWED
    if not has_first_four(run):
        return "its tasks are not 2, 3, 5, 7 and others"
    solved = _first_four_epoch(run)
    if math.isinf(solved):
        return "the first four tasks never held"
    counts = at_first_four(run)
    if counts is None:
        return f"no snapshot shortly after epoch {epoch_text(solved)}"
    others = share_held(run, later_tasks(run), counts.epoch)
    if others > rules.STILL_WAITING:
        return f"{percent(others)} of the other tasks hold by epoch {counts.epoch:,} already"
    return counts


def _first_four_epoch(run: Measurements) -> float:
    epochs = held_from(run)
    return max(epochs.get(modulus, math.inf) for modulus in FIRST_FOUR)


def at_end(run: Measurements) -> Counts | None:
    """The counts at the last snapshot; None where frequencies were not followed."""
    return None if run.frequencies is None else _counts(run.frequencies, -1)


def at_generalisation(run: Measurements) -> Counts | None:
    """The counts at the last snapshot up to generalisation; None without such a snapshot."""
    if run.frequencies is None or not has_generalised(run):
        return None
    moment = generalisation_epoch(run)
    earlier = [i for i, epoch in enumerate(run.frequencies.epochs) if epoch <= moment]
    return _counts(run.frequencies, earlier[-1]) if earlier else None


def at_first_four(run: Measurements) -> Counts | None:
    """The counts at the first snapshot after 2, 3, 5 and 7 hold; None if it is much later."""
    if run.frequencies is None:
        return None
    moment = _first_four_epoch(run)
    for i, epoch in enumerate(run.frequencies.epochs):
        if epoch >= moment:
            return _counts(run.frequencies, i) if epoch <= rules.SNAPSHOT_REACH * moment else None
    return None


def _counts(found: Frequencies, i: int) -> Counts:
    return Counts(found.epochs[i], found.counts[i], found.calibrated[i])
