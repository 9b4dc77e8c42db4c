"""The questions of the further work on delays, divisibility and amplified frequencies: B1 to B3."""

import math
from collections.abc import Callable, Mapping
from statistics import median

from miiii.claims.deciding import Ballot, Stance, between, decide, part
from miiii.claims.evidence import Evidence, held_from, trained_moduli
from miiii.claims.finding import Finding, quantity, within
from miiii.claims.measurements import Measurements, Multiples
from miiii.claims.rules import further_work as rules
from miiii.claims.rules.further_work import QUESTIONS, WITHOUT
from miiii.claims.rules.paper import GENERALISED_SHARE, NOT_CONVERGED_SHARE
from miiii.claims.text import number


def smallest_are_missed(evidence: Evidence) -> Finding:
    """B1: the delay without the smallest tasks, over that without others, per seed."""
    whole = {run.origin.seed: run for run in evidence.of("miiii")}
    delays = {
        key: {run.origin.seed: delay(run, whole.get(run.origin.seed)) for run in evidence.of(key)}
        for keys in WITHOUT.values()
        for key in keys
    }
    runs = evidence.of(WITHOUT["smallest"][-1])

    def missed(run: Measurements) -> float | None:
        return _missed(delays, run.origin.seed)

    def vote(run: Measurements) -> Ballot:
        ratio = missed(run)
        if ratio is None:
            return "silent", "there is nothing to compare the delay with"
        text = f"without the smallest {number(ratio)} times as late as without others"
        return between(ratio, rules.MISSED, rules.NOT_MISSED), text

    return decide(
        QUESTIONS["B1"],
        [part(runs, vote, name="the delay")],
        [
            quantity(
                "delay without the smallest tasks / without others (median over 2, 4, 8 left out)",
                runs,
                missed,
            ),
            *(
                quantity(
                    f"delay of the others, {count} left out",
                    evidence.of(key),
                    lambda run, key=key: delays[key][run.origin.seed],
                )
                for which in WITHOUT.values()
                for count, key in zip(rules.LEFT_OUT_COUNTS, which, strict=True)
            ),
        ],
    )


def delay(run: Measurements, whole: Measurements | None) -> float | None:
    """Epoch from which a task holds, over that with every task trained: median over tasks.

    Args:
        run: with tasks left out.
        whole: the same seed with every task; None where there is none.

    Returns:
        None where no trained task held in `whole`; infinite where most tasks never held.
    """
    if whole is None:
        return None
    here, there = held_from(run), held_from(whole)
    moduli = [q for q in trained_moduli(run) if math.isfinite(there.get(q, math.inf))]
    ratios = [here[q] / there[q] for q in moduli]
    return median(ratios) if ratios else None


def _missed(delays: Mapping[str, Mapping[int, float | None]], seed: int) -> float | None:
    """Delay without the smallest over the larger of the other two, median over the counts."""
    found = []
    for keys in zip(*(WITHOUT[which] for which in ("smallest", "largest", "random")), strict=True):
        smallest, *others = (delays[key].get(seed) for key in keys)
        known = [other for other in others if other is not None]
        if smallest is None or len(known) < len(others):
            return None
        if math.isfinite(smallest) or math.isfinite(max(known)):
            found.append(smallest / max(known))
    return median(found) if found else None


def divisibility_is_learnt(evidence: Evidence) -> Finding:
    """B2: how well multiples are told from other numbers, outside training."""

    def share(run: Measurements) -> float | None:
        if run.multiples is None:
            return None
        apart = [accuracy >= rules.TOLD_APART for accuracy in run.multiples.balanced]
        return sum(apart) / len(apart)

    def vote(run: Measurements) -> Ballot:
        of_run = share(run)
        if of_run is None:
            return "silent", "divisibility was not measured"
        text = f"{number(of_run)} of the tasks are told apart"
        return unless_unfinished(run, by_share(of_run), text)

    def lowest(record: Multiples) -> float:
        return min(record.balanced)

    on_divisibility, on_remainders = evidence.of("divisibility"), evidence.of("miiii")
    return decide(
        QUESTIONS["B2"],
        [part(on_divisibility, vote), part(on_remainders, vote, "contrast")],
        [
            quantity(name, runs, value)
            for name, value in (
                (f"share of tasks with balanced accuracy ≥ {rules.TOLD_APART}", share),
                ("lowest balanced accuracy of a task", within("multiples", lowest)),
                (
                    "multiples that are found, mean over tasks",
                    within("multiples", lambda it: sum(it.found) / len(it.found)),
                ),
            )
            for runs in (on_divisibility, on_remainders)
        ],
    )


def by_share(share: float) -> Stance:
    """The stance by a share of tasks: most of them, fewer than half, or between."""
    if share >= GENERALISED_SHARE:
        return "for"
    return "against" if share < NOT_CONVERGED_SHARE else "unclear"


def unless_unfinished(run: Measurements, stance: Stance, text: str) -> Ballot:
    """A ballot, silent instead of against while the run still trains."""
    if stance == "against" and not run.origin.finished:
        return "silent", f"{text} at epoch {run.origin.epoch:,} of {run.origin.epochs:,}"
    return stance, text


def chosen_frequencies_speed(evidence: Evidence) -> Finding:
    """B3: chosen frequencies against none and against random directions, per seed."""
    chosen = evidence.of("slow-on-tasks")
    epochs = {
        key: {run.origin.seed: median_epoch(run) for run in evidence.of(key)}
        for key in ("lambda-0", "slow-on-random", "lambda-2")
    }

    def ratio(run: Measurements, key: str) -> float | None:
        other, own = epochs[key].get(run.origin.seed), median_epoch(run)
        if other is None or (math.isinf(other) and math.isinf(own)):
            return None
        return other / own

    def against(key: str, name: str) -> Callable[[Measurements], Ballot]:
        def vote(run: Measurements) -> Ballot:
            value = ratio(run, key)
            if value is None:
                return "silent", f"there is no {name} to compare with"
            return (
                between(value, rules.SOONER, rules.NOT_SOONER),
                f"{name} is {number(value)} times as late",
            )

        return vote

    named = {"lambda-0": "λ = 0", "slow-on-random": "a random subspace"}
    return decide(
        QUESTIONS["B3"],
        [
            part(chosen, against(key, name), name=f"slow-on-tasks against {key}")
            for key, name in named.items()
        ],
        [
            *(
                quantity("median epoch over tasks", evidence.of(key), median_epoch, unit="epochs")
                for key in ("slow-on-tasks", *epochs)
            ),
            *(
                quantity(
                    f"median epoch of {key} / of slow-on-tasks",
                    chosen,
                    lambda run, key=key: ratio(run, key),
                )
                for key in epochs
            ),
        ],
    )


def median_epoch(run: Measurements) -> float:
    """Median over the trained tasks of the epoch from which each holds; never is infinite."""
    epochs = held_from(run)
    return median(epochs[modulus] for modulus in trained_moduli(run))
