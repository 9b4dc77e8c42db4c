"""Training without the gradient filter, dropout or the first four tasks: C4, C5 and C16."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from miiii.claims.deciding import Ballot, between, decide, part
from miiii.claims.evidence import (
    Evidence,
    has_first_four,
    held_from,
    later_tasks,
    share_held,
    trained_mean,
    trained_moduli,
)
from miiii.claims.finding import Finding, Quantity, quantity
from miiii.claims.measurements import Group, Measurements
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS, GENERALISED_AT, GENERALISED_SHARE, NOT_CONVERGED_SHARE
from miiii.claims.text import epoch_text, number

Tasks = Callable[[Measurements], list[int]]
VoteRule = Callable[[Measurements], Ballot]


def no_convergence_without_filter(evidence: Evidence) -> Finding:
    """C4: λ = 0 at its own and at matched learning rates, against λ = ½."""
    without = ("lambda-0", "matched-half", "matched-2")
    groups = {key: evidence.of(key) for key in ("miiii", *without)}
    by = common_epoch([run for runs in groups.values() for run in runs])
    parts = [
        part(groups["miiii"], _converged(trained_moduli, by), "contrast", name="miiii (λ = ½)"),
        *(
            part(
                groups[key],
                _stayed_behind(trained_moduli, by),
                "objection" if key == "matched-2" else "required",
                name=f"{key} (λ = 0)",
            )
            for key in without
        ),
    ]
    paper = {"miiii": "converges", "lambda-0": "does not converge", "lambda-2": "converges"}
    return decide(
        CLAIMS["C4"],
        parts,
        [
            item
            for key in ("lambda-0", "matched-half", "miiii", "matched-2", "lambda-2")
            for item in _progress(evidence.of(key), trained_moduli, by, paper.get(key, "not run"))
        ],
    )


def masking_prevents_the_others(evidence: Evidence) -> Finding:
    """C16: the other tasks, with and without 2, 3, 5 and 7."""
    masked, unmasked = evidence.of("masked"), evidence.of("miiii")
    by = common_epoch([*masked, *unmasked])
    paper = {"masked": "do not generalise in feasible time", "miiii": "generalise near 40,000"}

    def with_first_four(rule: VoteRule) -> VoteRule:
        def vote(run: Measurements) -> Ballot:
            if not has_first_four(run):
                return "silent", "its tasks are not 2, 3, 5, 7 and others"
            return rule(run)

        return vote

    return decide(
        CLAIMS["C16"],
        [
            part(unmasked, with_first_four(_converged(later_tasks, by)), "contrast"),
            part(masked, with_first_four(_stayed_behind(later_tasks, by))),
        ],
        [
            item
            for key in ("masked", "miiii")
            for item in _progress(evidence.of(key), later_tasks, by, paper[key])
        ],
    )


def validation_diverges_without_dropout(evidence: Evidence) -> Finding:
    """C5: the validation loss at dropout 0, against that with dropout."""
    without, with_dropout = evidence.of("no-dropout"), evidence.of("miiii")

    def vote(run: Measurements) -> Ballot:
        train, validation, rise = _train_accuracy(run), _validation_accuracy(run), _rise(run)
        text = (
            f"validation loss {number(rise)} times its lowest, training accuracy "
            f"{number(train)}, validation accuracy {number(validation)}"
        )
        if validation >= GENERALISED_AT or rise <= rules.NOT_DIVERGED:
            return "against", text
        return ("for" if rise >= rules.DIVERGED and train >= rules.FITTED else "unclear"), text

    def contrast(run: Measurements) -> Ballot:
        text = f"validation loss {number(_rise(run))} times its lowest"
        return ("for" if _rise(run) < rules.DIVERGED else "against"), text

    quantities: list[Quantity] = []
    for runs, paper in ((without, "diverges (no numbers)"), (with_dropout, "does not diverge")):
        quantities += [
            quantity("late / lowest validation loss", runs, _rise, paper=paper),
            quantity("training accuracy", runs, _train_accuracy),
            quantity("validation accuracy", runs, _validation_accuracy),
            quantity("late training loss", runs, lambda run: run.performance.late_train_loss),
            quantity(
                "late validation loss", runs, lambda run: run.performance.late_validation_loss
            ),
        ]
    return decide(
        CLAIMS["C5"],
        [part(with_dropout, contrast, "contrast"), part(without, vote)],
        quantities,
    )


def common_epoch(runs: Sequence[Measurements]) -> float:
    """The last epoch that all runs reached; infinite without runs."""
    return min((float(run.origin.reach) for run in runs), default=math.inf)


def _converged(tasks: Tasks, by: float) -> VoteRule:
    def vote(run: Measurements) -> Ballot:
        share = share_held(run, tasks(run), by)
        return between(share, GENERALISED_SHARE, NOT_CONVERGED_SHARE), _held_text(run, tasks, by)

    return vote


def _stayed_behind(tasks: Tasks, by: float) -> VoteRule:
    def vote(run: Measurements) -> Ballot:
        share = share_held(run, tasks(run), by)
        if share >= GENERALISED_SHARE:
            return "against", _held_text(run, tasks, by)
        return ("for" if share < NOT_CONVERGED_SHARE else "unclear"), _held_text(run, tasks, by)

    return vote


def _held_text(run: Measurements, tasks: Tasks, by: float) -> str:
    count = round(share_held(run, tasks(run), by) * len(tasks(run)))
    return f"{count} of {len(tasks(run))} tasks hold {GENERALISED_AT} by epoch {epoch_text(by)}"


def _progress(runs: Group, tasks: Tasks, by: float, paper: str) -> list[Quantity]:
    return [
        quantity(
            f"share of tasks that hold {GENERALISED_AT} by epoch {epoch_text(by)}",
            runs,
            lambda run: share_held(run, tasks(run), by) if tasks(run) else None,
            paper=paper,
        ),
        quantity(
            f"median epoch from which a task holds {GENERALISED_AT}",
            runs,
            lambda run: _median_epoch(run, tasks(run)),
            unit="epochs",
        ),
    ]


def _median_epoch(run: Measurements, moduli: list[int]) -> float | None:
    epochs = held_from(run)
    return float(np.median([epochs[modulus] for modulus in moduli])) if moduli else None


def _rise(run: Measurements) -> float:
    late, lowest = run.performance.late_validation_loss, run.performance.lowest_validation_loss
    if lowest > 0:
        return late / lowest
    return math.inf if late > 0 else 1.0


def _train_accuracy(run: Measurements) -> float:
    return trained_mean(run, run.performance.train_accuracy)


def _validation_accuracy(run: Measurements) -> float:
    return trained_mean(run, run.performance.validation_accuracy)
