"""The questions of the further work on loss, optimiser and length of training: B4 to B7."""

import math

from miiii.claims.deciding import Ballot, decide, part
from miiii.claims.evidence import Evidence, held_from, share_held, trained_moduli
from miiii.claims.finding import Finding, quantity
from miiii.claims.judges.further_work import by_share, median_epoch, unless_unfinished
from miiii.claims.judges.merging import merged, sharing_quantities
from miiii.claims.measurements import Measurements
from miiii.claims.rules.further_work import QUESTIONS
from miiii.claims.rules.paper import (
    GENERALISED_AT,
    GENERALISED_SHARE,
    NOT_CONVERGED_SHARE,
    SOLVED_AT,
)
from miiii.claims.text import number


def stablemax_replaces_regularisation(evidence: Evidence) -> Finding:
    """B4: without dropout and weight decay, StableMax against the softmax."""
    return _replaces("B4", "stablemax", evidence)


def orthogonal_gradient_replaces_regularisation(evidence: Evidence) -> Finding:
    """B5: without dropout and weight decay, ⊥Grad against the gradient as it is."""
    return _replaces("B5", "orthogonal", evidence)


def _replaces(question: str, how: str, evidence: Evidence) -> Finding:
    plain, replaced = evidence.of("unregularised"), evidence.of(f"unregularised-{how}")

    def vote(run: Measurements) -> Ballot:
        share = held_share(run)
        text = f"{number(share)} of the tasks hold {GENERALISED_AT}"
        return unless_unfinished(run, by_share(share), text)

    def stays_behind(run: Measurements) -> Ballot:
        share = held_share(run)
        text = f"{number(share)} of the tasks hold {GENERALISED_AT}"
        return ("for" if share < NOT_CONVERGED_SHARE else "against"), text

    keys = ("unregularised", f"unregularised-{how}", how, "miiii")
    return decide(
        QUESTIONS[question],
        [
            part(plain, stays_behind, "contrast"),
            part(replaced, vote),
        ],
        [
            quantity(name, evidence.of(key), value, unit=unit)
            for name, value, unit in (
                (f"share of tasks that hold {GENERALISED_AT}", held_share, ""),
                ("median epoch over tasks", median_epoch, "epochs"),
                ("late training loss", lambda run: run.performance.late_train_loss, ""),
            )
            for key in keys
        ],
    )


def held_share(run: Measurements) -> float:
    """Share of the trained tasks whose accuracy holds at the end."""
    return share_held(run, trained_moduli(run), math.inf)


def solved_stays_solved(evidence: Evidence) -> Finding:
    """B6: tasks of the ordinary run that hold through ten times the training, per seed."""
    ordinary = {run.origin.seed: run for run in evidence.of("miiii")}
    runs = evidence.of("tenfold")

    def kept(run: Measurements) -> tuple[int, int] | None:
        """(tasks that hold from before the ordinary end on, tasks that hold at that end)."""
        short = ordinary.get(run.origin.seed)
        if short is None or held_share(short) < GENERALISED_SHARE:
            return None
        if short.origin.moduli != run.origin.moduli:
            return None
        solved = [q for q, epoch in held_from(short).items() if math.isfinite(epoch)]
        end, long = short.origin.epoch, held_from(run)
        return sum(long[q] <= end for q in solved), len(solved)

    def vote(run: Measurements) -> Ballot:
        counts = kept(run)
        if counts is None:
            return "silent", "no ordinary run of its seed and tasks generalised"
        if not run.origin.finished:
            return "silent", f"epoch {run.origin.epoch:,} of {run.origin.epochs:,}"
        text = f"{counts[0]} of {counts[1]} solved tasks stayed so"
        return ("for" if counts[0] == counts[1] else "against"), text

    def lost(run: Measurements) -> int | None:
        counts = kept(run)
        return None if counts is None else counts[1] - counts[0]

    def solved(run: Measurements) -> int:
        return sum(value >= SOLVED_AT for value in run.performance.validation_accuracy)

    def rise(run: Measurements) -> float | None:
        lowest = run.performance.lowest_validation_loss
        return run.performance.late_validation_loss / lowest if lowest > 0 else None

    return decide(
        QUESTIONS["B6"],
        [part(runs, vote)],
        [
            quantity("solved tasks that were lost, if only for a time", runs, lost),
            *(
                quantity(name, evidence.of(key), value)
                for name, value in (
                    (f"tasks with validation accuracy ≥ {SOLVED_AT} at the end", solved),
                    (
                        "lowest accuracy of a task on all p² numbers",
                        lambda run: min(run.performance.domain_accuracy),
                    ),
                    ("late / lowest validation loss", rise),
                )
                for key in ("tenfold", "miiii")
            ),
        ],
    )


def circuits_merge_in_long_training(evidence: Evidence) -> Finding:
    """B7: the sharing index of C18 in ten times the training."""
    runs = evidence.of("tenfold")
    return decide(QUESTIONS["B7"], [part(runs, merged)], sharing_quantities(runs))
