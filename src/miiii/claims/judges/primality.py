"""All tasks together as a test of primality: C19."""

from collections.abc import Callable

from miiii.claims.deciding import Ballot, between, decide, part
from miiii.claims.evidence import Evidence, when_generalised
from miiii.claims.finding import Finding, Quantity, quantity, within
from miiii.claims.measurements import Primality
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS
from miiii.claims.text import number


def tasks_test_primality(evidence: Evidence) -> Finding:
    """C19: precision and recall of "no predicted remainder is 0"."""
    runs = evidence.of("miiii")
    vote = when_generalised("primality", "its tasks are not the primes below p", _judge)

    def of(name: str, measure: Callable[[Primality], float], paper: str = "") -> Quantity:
        return quantity(name, runs, within("primality", measure), paper=paper)

    return decide(
        CLAIMS["C19"],
        [part(runs, vote)],
        [
            of("precision, all n > 1", lambda it: it.everywhere.precision, "1, implied"),
            of("recall of the primes from p up", lambda it: it.everywhere.recall_from_base),
            of(
                "recall of all primes",
                lambda it: it.everywhere.recall,
                "1, implied; right remainders reach 0.981 at p = 113",
            ),
            of("precision, numbers outside training", lambda it: it.held_out.precision),
            of(
                "recall of the primes from p up, numbers outside training",
                lambda it: it.held_out.recall_from_base,
            ),
        ],
    )


def _judge(primality: Primality) -> Ballot:
    found = primality.everywhere
    precision, recall = found.precision, found.recall_from_base
    text = f"precision {number(precision)}, recall {number(recall)} of the primes from p up"
    # Where no number passes, precision is NaN, and no threshold compares with it.
    if not found.primes_passing:
        return "against", text
    return between(min(precision, recall), rules.TEST_WORKS, rules.TEST_FAILS), text
