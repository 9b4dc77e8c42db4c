"""Whether circuits merge after generalisation: C18."""

import math

from miiii.claims import rules
from miiii.claims.deciding import Says, between, decide, part
from miiii.claims.evidence import Evidence, held_from
from miiii.claims.finding import Finding, quantity, within
from miiii.claims.measurements import Measurements
from miiii.claims.rules import CLAIMS
from miiii.claims.text import number


def circuits_merge_afterwards(evidence: Evidence) -> Finding:
    """C18: causal sharing after the last task generalised."""
    runs = evidence.of("miiii")

    def say(run: Measurements) -> tuple[Says, str]:
        if run.sharing is None:
            return "silent", "causal sharing was not measured"
        if math.isinf(max(held_from(run).values())):
            return "silent", "not every task generalised"
        after = sharing_afterwards(run)
        if len(after) < rules.AFTERWARDS:
            return "silent", f"{len(after)} snapshots follow generalisation"
        text = f"sharing beyond random went from {number(after[0])} to {number(after[-1])}"
        return between(after[-1] - after[0], rules.SHARING_ROSE, rules.SHARING_FLAT), text

    def rise(run: Measurements) -> float | None:
        after = sharing_afterwards(run)
        return after[-1] - after[0] if after else None

    return decide(
        CLAIMS["C18"],
        [part("miiii", runs, say)],
        [
            quantity(
                "rise of causal sharing after generalisation",
                "miiii",
                runs,
                rise,
                paper="rises (no number)",
            ),
            quantity(
                "damage to other tasks at the end, as a share of that to one's own",
                "miiii",
                runs,
                within("sharing", lambda it: it.others[-1]),
            ),
            quantity(
                "the same from a random subspace",
                "miiii",
                runs,
                within("sharing", lambda it: it.random[-1]),
            ),
        ],
    )


def sharing_afterwards(run: Measurements) -> list[float]:
    """Sharing beyond that of a random subspace, at the snapshots after all tasks generalised."""
    if run.sharing is None:
        return []
    last = max(held_from(run).values())
    rows = zip(run.sharing.epochs, run.sharing.others, run.sharing.random, strict=True)
    return [others - random for epoch, others, random in rows if epoch >= last]
