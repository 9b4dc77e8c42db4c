"""Periodicity of the neurons, and the number of frequencies that each needs: C6, C7 and C8."""

import math
from collections.abc import Callable

import numpy as np

from miiii.claims.deciding import Ballot, between, decide, part
from miiii.claims.evidence import Evidence, has_generalised, not_generalised, trained_mean
from miiii.claims.finding import Finding, Quantity, quantity, within
from miiii.claims.measurements import Group, Measurements, Neurons
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS
from miiii.claims.statistics import exceedance
from miiii.claims.text import number, percent

NOT_MEASURED: Ballot = ("silent", "its neurons were not measured, or are all silent")


def neurons_are_periodic(evidence: Evidence) -> Finding:
    """C6: T_miiii's neurons against their null and against T_basis."""
    runs, basis = evidence.of("miiii"), evidence.of("basis")
    beside = [ratio for run in basis if not math.isnan(ratio := _ratio(run))]

    def vote(run: Measurements) -> Ballot:
        if run.neurons is None or math.isnan(_ratio(run)):
            return NOT_MEASURED
        if not has_generalised(run):
            return not_generalised(run)
        text = f"{number(_ratio(run))} times the share with digits renamed"
        least = run.neurons.output_share / max(run.neurons.output_null)
        if _ratio(run) <= rules.NOT_PERIODIC or _ratio(run) <= min(beside, default=-math.inf):
            return "against", text
        holds = least >= rules.PERIODIC and _ratio(run) > max(beside, default=math.inf)
        return ("for" if holds else "unclear"), text

    return decide(
        CLAIMS["C6"],
        [part(basis, _is_measured, "condition"), part(runs, vote)],
        [
            *_shares(runs, "clearly periodic (by eye)"),
            *_shares(basis, "not periodic (by eye)"),
        ],
    )


def basis_is_not_periodic(evidence: Evidence) -> Finding:
    """C7: T_basis against its own null."""
    runs = evidence.of("basis")

    def vote(run: Measurements) -> Ballot:
        if run.neurons is None or math.isnan(_ratio(run)):
            return NOT_MEASURED
        accuracy = _train_accuracy(run)
        if accuracy < rules.BASIS_LEARNT:
            return "silent", f"training accuracy {number(accuracy)}: it has learnt too little"
        text = f"{number(_ratio(run))} times the share with digits renamed"
        return between(_ratio(run), rules.NOT_PERIODIC, rules.PERIODIC), text

    return decide(
        CLAIMS["C7"],
        [part(runs, vote)],
        [
            *_shares(runs, "not periodic (by eye)"),
            quantity("training accuracy", runs, _train_accuracy),
        ],
    )


def neurons_need_few_frequencies(evidence: Evidence) -> Finding:
    """C8: frequencies for 90 % of a neuron's variance."""
    runs = evidence.of("miiii")

    def vote(run: Measurements) -> Ballot:
        if run.neurons is None or math.isnan(run.neurons.needed):
            return NOT_MEASURED
        if not has_generalised(run):
            return not_generalised(run)
        needed, limit = run.neurons.needed, rules.NULL_SHARE * run.neurons.needed_null
        text = (
            f"a median of {number(needed)} frequencies, "
            f"{number(run.neurons.needed_null)} with digits renamed"
        )
        if needed > rules.NOT_FEW or needed > limit:
            return "against", text
        return ("for" if needed <= rules.VERY_FEW else "unclear"), text

    def of(name: str, value: Callable[[Neurons], float], paper: str = "") -> Quantity:
        return quantity(name, runs, within("neurons", value), paper=paper)

    share = f"{percent(rules.VARIANCE_SHARE)} of a neuron's variance"
    return decide(
        CLAIMS["C8"],
        [part(runs, vote)],
        [
            of(f"frequencies for {share}, median", lambda it: it.needed, "very few (no number)"),
            of("first quartile over neurons", lambda it: it.needed_quartiles[0]),
            of("third quartile over neurons", lambda it: it.needed_quartiles[1]),
            of("the median with digits renamed", lambda it: it.needed_null),
            of(f"pairs of frequencies for {share}, median", lambda it: it.needed_pairs),
            of("silent neurons", lambda it: it.silent),
        ],
    )


def _ratio(run: Measurements) -> float:
    """Share after W_out over the median of its null; NaN where all neurons are silent."""
    if run.neurons is None or math.isnan(run.neurons.output_share):
        return math.nan
    return run.neurons.output_share / float(np.median(run.neurons.output_null))


def _is_measured(run: Measurements) -> Ballot:
    return NOT_MEASURED if math.isnan(_ratio(run)) else ("for", "measured")


def _shares(runs: Group, paper: str) -> list[Quantity]:
    found = [run.neurons for run in runs if run.neurons is not None]
    p_values = [exceedance(neurons.output_share, neurons.output_null) for neurons in found]
    draws = min((len(neurons.output_null) for neurons in found), default=0)
    return [
        quantity(
            "share after W_out / share with digits renamed",
            runs,
            _ratio,
            paper=paper,
            p_value=max(p_values, default=math.nan),
            note=f"largest p over runs, against {draws} renamings each" if draws else "",
        ),
        *(
            quantity(name, runs, within("neurons", value))
            for name, value in (
                (
                    f"share of variance in the {rules.STRONGEST} strongest pairs, after W_out",
                    lambda it: it.output_share,
                ),
                ("the same after the ReLU", lambda it: it.hidden_share),
                (
                    "the same after the ReLU, digits renamed",
                    lambda it: float(np.median(it.hidden_null)),
                ),
            )
        ),
    ]


def _train_accuracy(run: Measurements) -> float:
    return trained_mean(run, run.performance.train_accuracy)
