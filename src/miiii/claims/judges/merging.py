"""Whether circuits merge after generalisation: C18."""

import math

from miiii.claims.deciding import Ballot, decide, part
from miiii.claims.evidence import Evidence, held_from
from miiii.claims.finding import Finding, Quantity, quantity, within
from miiii.claims.measurements import Group, Measurements, Sharing
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS
from miiii.claims.text import epoch_text, number

KINDS = ("neurons", "harmonics")
"""Kinds of circuits: the fields of `Sharing` with their indices."""


def circuits_merge_afterwards(evidence: Evidence) -> Finding:
    """C18: the sharing index after the last task generalised."""
    runs = evidence.of("miiii")
    return decide(
        CLAIMS["C18"],
        [part(runs, merged)],
        sharing_quantities(runs, paper=("rises (no number)", "1.6 (Figure 4)")),
    )


def sharing_quantities(runs: Group, paper: tuple[str, str] = ("", "")) -> list[Quantity]:
    """Rise and last value of the index, by either kind of circuit, and when it was last taken.

    Args:
        runs: of one experiment.
        paper: the paper's rise, and its last snapshot as a multiple of generalisation.
    """
    return [
        *(
            quantity(
                f"rise of the sharing index after generalisation, {kind}",
                runs,
                within("sharing", lambda it, kind=kind: rise(it, kind)),
                paper=paper[0],
            )
            for kind in KINDS
        ),
        *(
            quantity(
                f"sharing index at the end, {kind}",
                runs,
                within("sharing", lambda it, kind=kind: getattr(it, kind)[-1]),
            )
            for kind in KINDS
        ),
        quantity(
            "last snapshot / epoch from which the last task holds",
            runs,
            lambda run: _afterwards(run) if run.sharing else None,
            paper=paper[1],
        ),
    ]


def rise(sharing: Sharing, kind: str) -> float:
    """Last index less the first; NaN where either is undefined."""
    index = getattr(sharing, kind)
    return index[-1] - index[0]


def _afterwards(run: Measurements) -> float:
    """The epoch of the last snapshot over that of generalisation."""
    assert run.sharing is not None
    return run.sharing.epochs[-1] / max(held_from(run).values())


def merged(run: Measurements) -> Ballot:
    """The ballot on whether circuits merged after the last task generalised."""
    last_task = max(held_from(run).values())
    if math.isinf(last_task):
        return "silent", "not every task generalised"
    if run.sharing is None:
        return "silent", "causal sharing was not measured"
    if _afterwards(run) < rules.AFTERWARDS:
        last, since = f"{run.sharing.epochs[-1]:,}", epoch_text(last_task)
        return "silent", f"all tasks hold from epoch {since}, the last snapshot is of {last}"
    rises = {kind: rise(run.sharing, kind) for kind in KINDS}
    defined = [value for value in rises.values() if not math.isnan(value)]
    if not defined:
        return "silent", "circuits are worth no more than chance"
    text = ", ".join(f"{number(value)} ({kind})" for kind, value in rises.items())
    text = f"the sharing index rises by {text}"
    if max(defined) >= rules.SHARING_ROSE:
        return "for", text
    return ("against" if max(defined) <= rules.SHARING_FLAT else "unclear"), text
