"""What the filter, dropout and the first four tasks are needed for: C4, C5 and C16."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from miiii.claims.deciding import Says, between, decide, part
from miiii.claims.evidence import (
    Evidence,
    has_first_four,
    held_from,
    later_tasks,
    share_held,
    trained_tasks,
)
from miiii.claims.finding import Finding, Quantity, quantity
from miiii.claims.measurements import Measurements
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS, GENERALISED_AT, GENERALISED_SHARE, NOT_CONVERGED_SHARE
from miiii.claims.text import epoch_text, number

Tasks = Callable[[Measurements], list[int]]
Say = Callable[[Measurements], tuple[Says, str]]


def no_convergence_without_filter(evidence: Evidence) -> Finding:
    """C4: λ = 0 at its own and at matched learning rates, against λ = ½."""
    without = ("lambda-0", "matched-half", "matched-2")
    groups = {key: evidence.of(key) for key in ("miiii", *without)}
    by = common_epoch([run for runs in groups.values() for run in runs])
    parts = [
        part("miiii (λ = ½)", groups["miiii"], _converged(_trained, by), "contrast"),
        *(
            part(
                f"{key} (λ = 0)",
                groups[key],
                _stayed_behind(_trained, by),
                "objection" if key == "matched-2" else "required",
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
            for item in _progress(key, evidence.of(key), _trained, by, paper.get(key, "not run"))
        ],
    )


def masking_prevents_the_others(evidence: Evidence) -> Finding:
    """C16: the other tasks, with and without 2, 3, 5 and 7."""
    masked, unmasked = evidence.of("masked"), evidence.of("miiii")
    by = common_epoch([*masked, *unmasked])
    paper = {"masked": "do not generalise in feasible time", "miiii": "generalise near 40,000"}

    def ask(say: Say) -> Say:
        def answer(run: Measurements) -> tuple[Says, str]:
            if not has_first_four(run):
                return "silent", "its tasks are not 2, 3, 5, 7 and others"
            return say(run)

        return answer

    return decide(
        CLAIMS["C16"],
        [
            part("miiii", unmasked, ask(_converged(later_tasks, by)), "contrast"),
            part("masked", masked, ask(_stayed_behind(later_tasks, by))),
        ],
        [
            item
            for key in ("masked", "miiii")
            for item in _progress(key, evidence.of(key), later_tasks, by, paper[key])
        ],
    )


def validation_diverges_without_dropout(evidence: Evidence) -> Finding:
    """C5: the validation loss at dropout 0, against that with dropout."""
    without, with_dropout = evidence.of("no-dropout"), evidence.of("miiii")

    def say(run: Measurements) -> tuple[Says, str]:
        train, validation, rise = _accuracy(run, "train"), _accuracy(run, "validation"), _rise(run)
        text = (
            f"validation loss {number(rise)} times its lowest, training accuracy "
            f"{number(train)}, validation accuracy {number(validation)}"
        )
        if validation >= GENERALISED_AT or rise <= rules.NOT_DIVERGED:
            return "against", text
        return ("for" if rise >= rules.DIVERGED and train >= rules.FITTED else "unclear"), text

    def contrast(run: Measurements) -> tuple[Says, str]:
        text = f"validation loss {number(_rise(run))} times its lowest"
        return ("for" if _rise(run) < rules.DIVERGED else "against"), text

    quantities: list[Quantity] = []
    for key, runs in (("no-dropout", without), ("miiii", with_dropout)):
        diverges = key == "no-dropout"
        quantities += [
            quantity(
                "late / lowest validation loss",
                key,
                runs,
                _rise,
                paper="diverges (no numbers)" if diverges else "does not diverge",
            ),
            quantity("training accuracy", key, runs, lambda run: _accuracy(run, "train")),
            quantity("validation accuracy", key, runs, lambda run: _accuracy(run, "validation")),
            quantity("late training loss", key, runs, lambda run: run.performance.late_train_loss),
            quantity(
                "late validation loss", key, runs, lambda run: run.performance.late_validation_loss
            ),
        ]
    return decide(
        CLAIMS["C5"],
        [part("miiii", with_dropout, contrast, "contrast"), part("no-dropout", without, say)],
        quantities,
    )


def common_epoch(runs: Sequence[Measurements]) -> float:
    """The last epoch that all runs reached; infinite if there are none."""
    return min((float(run.origin.reach) for run in runs), default=math.inf)


def _trained(run: Measurements) -> list[int]:
    return [run.origin.moduli[column] for column in trained_tasks(run)]


def _converged(tasks: Tasks, by: float) -> Say:
    def say(run: Measurements) -> tuple[Says, str]:
        share = share_held(run, tasks(run), by)
        return between(share, GENERALISED_SHARE, NOT_CONVERGED_SHARE), _held_text(run, tasks, by)

    return say


def _stayed_behind(tasks: Tasks, by: float) -> Say:
    def say(run: Measurements) -> tuple[Says, str]:
        share = share_held(run, tasks(run), by)
        says: Says = "for" if share < NOT_CONVERGED_SHARE else "unclear"
        return ("against" if share >= GENERALISED_SHARE else says), _held_text(run, tasks, by)

    return say


def _held_text(run: Measurements, tasks: Tasks, by: float) -> str:
    count = round(share_held(run, tasks(run), by) * len(tasks(run)))
    return f"{count} of {len(tasks(run))} tasks hold {GENERALISED_AT} by epoch {epoch_text(by)}"


def _progress(
    key: str, runs: Sequence[Measurements], tasks: Tasks, by: float, paper: str
) -> list[Quantity]:
    return [
        quantity(
            f"share of tasks that hold {GENERALISED_AT} by epoch {epoch_text(by)}",
            key,
            runs,
            lambda run: share_held(run, tasks(run), by) if tasks(run) else None,
            paper=paper,
        ),
        quantity(
            f"median epoch from which a task holds {GENERALISED_AT}",
            key,
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


def _accuracy(run: Measurements, split: str) -> float:
    values = getattr(run.performance, f"{split}_accuracy")
    return float(np.mean([values[column] for column in trained_tasks(run)]))
