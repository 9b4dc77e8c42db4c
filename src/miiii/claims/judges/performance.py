"""Which tasks generalise, and in which order: C1, C2 and C3."""

import math
from collections.abc import Sequence
from itertools import pairwise

from miiii.claims.deciding import Ballot, Part, Stance, Vote, decide, part
from miiii.claims.evidence import (
    Evidence,
    generalisation_epoch,
    has_first_four,
    held_from,
    later_tasks,
)
from miiii.claims.finding import Finding, quantity
from miiii.claims.measurements import Measurements
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS, FIRST_FOUR, GENERALISED_AT, SOLVED_AT
from miiii.claims.rules.published import PUBLISHED_FIRST
from miiii.claims.statistics import RankCorrelation, rank_correlation
from miiii.claims.text import epoch_text, number, percent


def all_tasks_generalise(evidence: Evidence) -> Finding:
    """C1: how many tasks are solved at the end."""
    runs = evidence.of("miiii")

    def solved(run: Measurements) -> int:
        return sum(value >= SOLVED_AT for value in run.performance.validation_accuracy)

    def vote(run: Measurements) -> Ballot:
        tasks = len(run.origin.moduli)
        text = f"{solved(run)} of {tasks} tasks at {SOLVED_AT} or above"
        if solved(run) == tasks:
            return "for", text
        if not run.origin.finished:
            return "silent", f"{text} at epoch {run.origin.epoch:,} of {run.origin.epochs:,}"
        if run.performance.late_gain > rules.STILL_LEARNING:
            return "silent", f"{text} and still rising"
        return "against", text

    tasks = max((len(run.origin.moduli) for run in runs), default=0)
    return decide(
        CLAIMS["C1"],
        [part(runs, vote)],
        [
            quantity(
                f"tasks with validation accuracy ≥ {SOLVED_AT}",
                runs,
                solved,
                unit=f"of {tasks}" if tasks else "",
                paper="29 of 29 (text); 27 of 29 in Figure 4, two near 0.98",
            ),
            quantity(
                "lowest accuracy of a task on all p² numbers",
                runs,
                lambda run: min(run.performance.domain_accuracy),
            ),
            quantity(
                f"epoch from which the last task holds {GENERALISED_AT}",
                runs,
                lambda run: max(held_from(run).values()),
                unit="epochs",
                paper=f"{max(PUBLISHED_FIRST.values()):,} (Figure 4)",
            ),
        ],
    )


def first_four_come_first(evidence: Evidence) -> Finding:
    """C2: 2, 3, 5, 7, then all others."""
    runs = evidence.of("miiii")
    return decide(
        CLAIMS["C2"],
        [part(runs, _order_of_first_four)],
        [
            quantity(
                "places as claimed: 2 < 3, 3 < 5, 5 < 7, 7 < all others",
                runs,
                lambda run: sum(_in_place(run)) if has_first_four(run) else None,
                unit="of 4",
                paper="4 of 4",
            ),
            *(
                quantity(
                    f"epoch from which task {modulus} holds {GENERALISED_AT}",
                    runs,
                    lambda run, modulus=modulus: held_from(run).get(modulus),
                    unit="epochs",
                    paper=paper,
                )
                for modulus, paper in ((q, f"{PUBLISHED_FIRST[q]:,}") for q in FIRST_FOUR)
            ),
            quantity(
                f"epoch from which the first other task holds {GENERALISED_AT}",
                runs,
                _first_later,
                unit="epochs",
                paper=f"{PUBLISHED_FIRST[11]:,} (q = 11)",
            ),
        ],
    )


def _order_of_first_four(run: Measurements) -> Ballot:
    if not has_first_four(run):
        return "silent", "its tasks are not 2, 3, 5, 7 and others"
    epochs = held_from(run)
    four, first_later = [epochs[modulus] for modulus in FIRST_FOUR], _first_later(run)
    text = ", ".join(epoch_text(epoch) for epoch in four)
    text = f"2, 3, 5, 7 hold from {text}, the first other from {epoch_text(first_later)}"
    # Two tasks that never held have no order.
    pairs = [*pairwise(four), (max(four), first_later)]
    if any(one >= other and not math.isinf(other) for one, other in pairs):
        return "against", text
    return ("silent" if math.isinf(max(four)) else "for"), text


def _in_place(run: Measurements) -> list[bool]:
    """Whether each of the first four holds before the next, and all before the others."""
    epochs = held_from(run)
    four = [epochs[modulus] for modulus in FIRST_FOUR]
    later = min(epochs[modulus] for modulus in later_tasks(run))
    return [one < other for one, other in [*pairwise(four), (max(four), later)]]


def _first_later(run: Measurements) -> float | None:
    epochs = held_from(run)
    return min((epochs[modulus] for modulus in later_tasks(run)), default=None)


def others_come_together(evidence: Evidence) -> Finding:
    """C3: the spread of the others' epochs against the gap before them, and their order."""
    runs = evidence.of("miiii")
    speaking = runs.where(lambda run: _spread_over_gap(run) is not None)
    order, measured = _order_of_others(speaking.runs)
    return decide(
        CLAIMS["C3"],
        [part(runs, _together, name="the others' spread"), order],
        [
            quantity(
                "spread of the others' epochs / gap before them (log epochs)",
                runs,
                _spread_over_gap,
                paper="1.75 (Figure 4)",
            ),
            quantity(
                "rank correlation of epoch and q among the others",
                speaking,
                lambda run: _correlation([run]).rho,
                paper='0.88 (Figure 4); "no particular order" (text)',
                interval=measured.interval if measured else None,
                p_value=measured.p_value if measured else math.nan,
                note="interval and permutation test of the mean over seeds, over tasks",
            ),
            quantity(
                f"epoch from which {percent(rules.GENERALISED_SHARE)} of all tasks hold",
                runs,
                generalisation_epoch,
                unit="epochs",
                paper='"around epoch 40 000"',
            ),
        ],
    )


def _spread_over_gap(run: Measurements) -> float | None:
    """In log epochs; None where a task never held or the first four are not first."""
    if not has_first_four(run):
        return None
    epochs = held_from(run)
    four = max(epochs[modulus] for modulus in FIRST_FOUR)
    others = [epochs[modulus] for modulus in later_tasks(run)]
    if math.isinf(max(others)) or four >= min(others):
        return None
    return math.log(max(others) / min(others)) / math.log(min(others) / four)


def _together(run: Measurements) -> Ballot:
    ratio = _spread_over_gap(run)
    if ratio is None:
        if math.isinf(max(held_from(run).values())):
            return "silent", "not every task generalised"
        return "silent", "the first four tasks are not before the others"
    text = f"the others' epochs spread over {number(ratio)} times the gap before them"
    return ("for" if ratio <= 1 else "against"), text


def _correlation(runs: Sequence[Measurements]) -> RankCorrelation:
    moduli = later_tasks(runs[0])
    rows = [[held_from(run)[modulus] for modulus in moduli] for run in runs]
    return rank_correlation(rows, moduli)


def _order_of_others(runs: Sequence[Measurements]) -> tuple[Part, RankCorrelation | None]:
    """The vote on the rank correlation, one for all runs, and the correlation."""
    measured = _correlation(runs) if runs else None
    stance: Stance = "silent"
    text = ""
    if measured is not None and measured.interval is None:
        text = f"{len(later_tasks(runs[0]))} other tasks are too few for an interval"
    elif measured is not None and measured.interval is not None:
        low, high = measured.interval.low, measured.interval.high
        text = (
            f"mean rank correlation with q {number(measured.rho)}, "
            f"95 % interval {number(low)} to {number(high)}"
        )
        if low > 0 or high < 0:
            stance = "against"
        else:
            stance = "for" if max(-low, high) <= rules.ORDER_LIMIT else "unclear"
    votes = tuple(Vote(run.origin.seed, stance, text) for run in runs)
    return Part("the others' order", votes), measured
