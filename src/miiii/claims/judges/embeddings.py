"""Positional embeddings, singular values and vectors, embedding frequencies: C10 to C13."""

import math
import statistics
from collections.abc import Callable, Sequence

from miiii.claims.deciding import Ballot, Part, Role, between, decide, part
from miiii.claims.evidence import Evidence, has_generalised, is_measured, when_generalised
from miiii.claims.finding import Finding, Quantity, quantity, within
from miiii.claims.measurements import Embeddings, Group, Measurements
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS
from miiii.claims.statistics import difference_p_value
from miiii.claims.text import number, percent

Judge = Callable[[Embeddings], Ballot]
Value = Callable[[Embeddings], float]


def positions_alike_or_opposed(evidence: Evidence) -> Finding:
    """C10: Pearson's r of the two digit positions."""

    def judge(holds_from: float, fails_to: float) -> Judge:
        def vote(found: Embeddings) -> Ballot:
            if math.isnan(found.pearson):
                return "silent", "a position's embedding is constant"
            return between(found.pearson, holds_from, fails_to), f"r = {number(found.pearson)}"

        return vote

    limits = {
        "nanda": (rules.PEARSON_ALIKE, rules.PEARSON_NOT_ALIKE, "0.95"),
        "miiii": (rules.PEARSON_OPPOSED, rules.PEARSON_NOT_OPPOSED, "−0.64"),
    }
    return decide(
        CLAIMS["C10"],
        [_part(key, evidence, judge(*limits[key][:2])) for key in limits],
        [
            _of("Pearson r of the digits' positions", key, evidence, lambda it: it.pearson, paper)
            for key, (_, _, paper) in limits.items()
        ],
    )


def singular_values_more_diffuse(evidence: Evidence) -> Finding:
    """C11: components for 50 % and 90 % of σ², T_miiii against T_nanda."""
    nanda = _general(evidence.of("nanda"))
    halves = [found.components_half for found in nanda]
    most = [found.components_nine_tenths for found in nanda]

    def judge(found: Embeddings) -> Ballot:
        half, nine_tenths = found.components_half, found.components_nine_tenths
        text = (
            f"{half} and {nine_tenths} components for 50 % and 90 %, "
            f"T_nanda {_range(halves)} and {_range(most)}"
        )
        if not nanda:
            return "silent", text
        if half <= min(halves) or nine_tenths <= min(most):
            return "against", text
        return ("for" if half > max(halves) and nine_tenths > max(most) else "unclear"), text

    return decide(
        CLAIMS["C11"],
        [
            _same(evidence, "width and base"),
            _part("nanda", evidence, is_measured, "condition"),
            _part("miiii", evidence, judge),
        ],
        [
            item
            for name, value in (
                ("components for 90 % of σ²", lambda it: it.components_nine_tenths),
                ("components for 50 % of σ²", lambda it: it.components_half),
            )
            for item in _compared(name, evidence, value, "fewer", "more (no numbers)")
        ],
    )


def leading_vectors_are_periodic(evidence: Evidence) -> Finding:
    """C12: leading singular vectors whose strongest frequency beats random vectors'."""

    def above(found: Embeddings) -> int:
        leading = found.vector_share[: rules.LEADING_VECTORS]
        return sum(share > found.random_share for share in leading)

    def judge(found: Embeddings) -> Ballot:
        if len(found.vector_share) < rules.LEADING_VECTORS:
            return "silent", f"it has only {len(found.vector_share)} singular vectors"
        text = f"{above(found)} of {rules.LEADING_VECTORS} leading vectors above random"
        return between(above(found), rules.PERIODIC_VECTORS, rules.APERIODIC_VECTORS), text

    return decide(
        CLAIMS["C12"],
        [_part(key, evidence, judge) for key in ("nanda", "miiii")],
        [
            item
            for key in ("nanda", "miiii")
            for item in (
                _of(
                    "leading vectors above random",
                    key,
                    evidence,
                    above,
                    "periodic (by eye)",
                    f"of {rules.LEADING_VECTORS}",
                ),
                _of(
                    "share of the first vector's power in its strongest frequency",
                    key,
                    evidence,
                    lambda it: it.vector_share[0],
                ),
                _of(
                    f"that share of random vectors, exceeded by {percent(rules.VECTOR_LEVEL)}",
                    key,
                    evidence,
                    lambda it: it.random_share,
                ),
            )
        ],
    )


def embedding_frequencies_few_and_many(evidence: Evidence) -> Finding:
    """C13: frequencies that hold 90 % of the embedding's power, few in T_nanda, many in T_miiii."""
    nanda = [found.needed for found in _general(evidence.of("nanda"))]

    def few(found: Embeddings) -> Ballot:
        random = statistics.median(found.random_needed)
        text = f"{found.needed} of {found.available} frequencies, random matrices {number(random)}"
        return ("for" if found.needed <= rules.FEW_FREQUENCIES * random else "against"), text

    def many(found: Embeddings) -> Ballot:
        text = (
            f"{found.needed} frequencies, T_nanda {_range(nanda)}, "
            f"random matrices {_range(found.random_needed)}"
        )
        if not nanda:
            return "silent", text
        if found.needed <= min(nanda) or found.needed >= min(found.random_needed):
            return "against", text
        return ("for" if found.needed >= rules.MANY_TIMES * max(nanda) else "unclear"), text

    others = (
        ("the same in random matrices, median", lambda it: statistics.median(it.random_needed)),
        ("frequencies above renamed digits", lambda it: it.calibrated),
        ("frequencies above μ + 2σ", lambda it: it.count),
        ("the same in random matrices, mean", lambda it: it.random_count),
    )
    return decide(
        CLAIMS["C13"],
        [
            _same(evidence, "base"),
            _part("nanda", evidence, is_measured, "condition"),
            _part("nanda", evidence, few),
            _part("miiii", evidence, many),
        ],
        [
            *_compared(
                f"frequencies for {percent(rules.VARIANCE_SHARE)} of the embedding's power",
                evidence,
                lambda it: it.needed,
                "few (no number)",
                "many (no number)",
            ),
            *(
                _of(name, key, evidence, value)
                for name, value in others
                for key in ("miiii", "nanda")
            ),
        ],
    )


def _part(experiment: str, evidence: Evidence, judge: Judge, role: Role = "required") -> Part:
    vote = when_generalised("embeddings", "its embeddings were not measured", judge)
    return part(evidence.of(experiment), vote, role)


def _same(evidence: Evidence, sizes: str) -> Part:
    """The condition that T_miiii's embedding has T_nanda's shape (or rows, for "base")."""

    def shape(run: Measurements) -> tuple[int, int]:
        return (run.origin.base, 0 if sizes == "base" else run.origin.width)

    shapes = {shape(run) for run in evidence.of("nanda")}

    def vote(run: Measurements) -> Ballot:
        if shapes <= {shape(run)}:
            return "for", f"the same {sizes}"
        width = f", width {run.origin.width}" if sizes != "base" else ""
        return "unclear", f"p = {run.origin.base}{width}, unlike T_nanda"

    return part(evidence.of("miiii"), vote, "condition")


def _general(runs: Group) -> list[Embeddings]:
    return [run.embeddings for run in runs if run.embeddings is not None and has_generalised(run)]


def _range(counts: Sequence[int]) -> str:
    if not counts:
        return "–"
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _of(
    name: str,
    experiment: str,
    evidence: Evidence,
    value: Value,
    paper: str = "",
    unit: str = "",
    p_value: float = math.nan,
    note: str = "",
) -> Quantity:
    return quantity(
        name,
        evidence.of(experiment),
        within("embeddings", value),
        unit=unit,
        paper=paper,
        p_value=p_value,
        note=note,
    )


def _compared(
    name: str, evidence: Evidence, value: Value, paper_nanda: str, paper_miiii: str
) -> list[Quantity]:
    """A number of T_miiii and of T_nanda, with a permutation test of their difference."""
    groups = [[value(it) for it in _general(evidence.of(key))] for key in ("miiii", "nanda")]
    p_value = difference_p_value(*groups)
    note = "" if math.isnan(p_value) else "exact permutation of the generalised runs' seeds"
    return [
        _of(name, "miiii", evidence, value, paper_miiii, p_value=p_value, note=note),
        _of(name, "nanda", evidence, value, paper_nanda),
    ]
