"""The questions of the paper's further work (§6), with rules as those of the paper's claims.

No paper has answered them on these tasks, so that there is nothing to reproduce. Each is a
statement; its answer is yes (the verdict `reproduced`), no (`not reproduced`) or undecided, by the
same kind of rule. All rules were written before any of these runs.
"""

from miiii.claims.rules.paper import (
    AFTERWARDS,
    GENERALISED_AT,
    GENERALISED_SHARE,
    NOT_CONVERGED_SHARE,
    SHARING_FLAT,
    SHARING_ROSE,
    Claim,
)
from miiii.claims.text import percent

LEFT_OUT_COUNTS = (2, 4, 8)
"""Numbers of tasks that are left out."""
WITHOUT: dict[str, tuple[str, str, str]] = {
    "smallest": ("without-smallest-2", "masked", "without-smallest-8"),
    "largest": ("without-largest-2", "without-largest-4", "without-largest-8"),
    "random": ("without-random-2", "without-random-4", "without-random-8"),
}
"""The experiments of each kind, one per count; the four smallest are masked for C16 too."""

EXPERIMENTS = (
    *(key for keys in WITHOUT.values() for key in keys if key != "masked"),
    "divisibility",
    "slow-on-tasks",
    "slow-on-random",
    "stablemax",
    "orthogonal",
    "unregularised",
    "unregularised-stablemax",
    "unregularised-orthogonal",
    "tenfold",
)
"""The experiments that a study trains only for these questions."""

FOLLOWED = ("tenfold",)
"""Experiments whose snapshots are analysed (B7)."""

# B1

MISSED = 1.25
"""Ratio of the delay without the smallest tasks to that without others, from which the smallest are
missed more. Seeds of one setting differ by less than a quarter."""
NOT_MISSED = 1.1
"""The ratio up to which they are not: seeds differ by a tenth."""

# B2

TOLD_APART = 0.9
"""Balanced accuracy from which multiples are told from other numbers, on numbers outside training:
the mean of the share of multiples that is found and the share of others that is passed over. The
constant answer "no" is right for all but 1/q of the numbers, but reaches ½ here, like guessing."""

# B3

SOONER = 1.1
"""Speed-up from which training is sooner: seeds differ by less than a tenth."""
NOT_SOONER = 1.03
"""Speed-up up to which there is none. The compared runs have one seed, so that they begin with the
same weights and numbers."""

_YES = f"at least {percent(GENERALISED_SHARE)} of the tasks hold {GENERALISED_AT}"
_NO = f"fewer than {percent(NOT_CONVERGED_SHARE)} do"
_PRIETO = "Prieto et al. 2025"

_ALL = (
    Claim(
        "B1",
        "The smallest tasks carry the others: without them the rest generalise later than without "
        "as many large or random ones.",
        "further work; §7",
        f"delay of the tasks that are left, for 2, 4 and 8 left out: median over them of the epoch "
        f"from which accuracy holds {GENERALISED_AT}, over that of the same seed with every task",
        f"the delay without the smallest is at least {MISSED:g} times the larger of the other two "
        "(median over 2, 4 and 8 left out).",
        f"it is at most {NOT_MISSED:g} times.",
        "A run in which a task generalised with every task trained, but none did otherwise, counts "
        "as infinitely late; where both that are compared are, it does not speak.",
        ("miiii", *(key for keys in WITHOUT.values() for key in keys)),
        (),
    ),
    Claim(
        "B2",
        "Divisibility is learnt as remainders are: told only whether q divides n, a model finds "
        "the multiples among numbers that it was not trained on.",
        "further work (§6)",
        "balanced accuracy of 'q divides n' on numbers outside training, per task: as trained on, "
        "and as a remainder of 0 of the model that learns remainders",
        f"at least {percent(GENERALISED_SHARE)} of the tasks are at {TOLD_APART} or above.",
        f"fewer than {percent(NOT_CONVERGED_SHARE)} are, though training is over.",
        "The model of remainders does not find them either, or the training is not over.",
        ("divisibility", "miiii"),
        (),
    ),
    Claim(
        "B3",
        "Amplifying only the first tasks' frequencies of the digits' slow gradient speeds "
        "generalisation, and more than as many random directions do.",
        "further work (§6)",
        f"median epoch over tasks from which accuracy holds {GENERALISED_AT}: λ = 2 on the "
        "frequencies of 2, 3, 5 and 7 in the digits' embedding, on as many random directions, on "
        "every slow gradient, and λ = 0",
        f"with λ = 0 and with random directions it is each at least {SOONER:g} times as late.",
        f"one of them is at most {NOT_SOONER:g} times as late.",
        "Where neither of two runs generalised, they are not compared.",
        ("slow-on-tasks", "slow-on-random", "lambda-0", "lambda-2"),
        (),
    ),
    Claim(
        "B4",
        "StableMax takes the place of dropout and weight decay.",
        _PRIETO,
        f"share of tasks that hold {GENERALISED_AT} without dropout and weight decay, with the "
        "softmax and with StableMax; median epoch with both as usual",
        f"without dropout and weight decay {_YES} with StableMax.",
        f"{_NO} with StableMax, though training is over.",
        f"With the softmax not fewer than {percent(NOT_CONVERGED_SHARE)} do: then there is nothing "
        "whose place to take.",
        ("unregularised", "unregularised-stablemax", "stablemax", "miiii"),
        (),
    ),
    Claim(
        "B5",
        "⊥Grad takes the place of dropout and weight decay.",
        _PRIETO,
        f"share of tasks that hold {GENERALISED_AT} without dropout and weight decay, with the "
        "gradient as it is and with ⊥Grad; median epoch with both as usual",
        f"without dropout and weight decay {_YES} with ⊥Grad.",
        f"{_NO} with ⊥Grad, though training is over.",
        f"With the gradient as it is not fewer than {percent(NOT_CONVERGED_SHARE)} do: then there "
        "is nothing whose place to take.",
        ("unregularised", "unregularised-orthogonal", "orthogonal", "miiii"),
        (),
    ),
    Claim(
        "B6",
        "What is solved stays solved through ten times the training.",
        "further work (§6)",
        f"tasks that hold {GENERALISED_AT} from before the end of the ordinary training to the end "
        "of one ten times as long, of those that hold it at the ordinary end (same seed)",
        "every one of them does.",
        "one of them does not.",
        "A run that is not trained to its end does not speak, nor one whose ordinary training left "
        f"fewer than {percent(GENERALISED_SHARE)} of the tasks solved.",
        ("tenfold", "miiii"),
        (),
    ),
    Claim(
        "B7",
        "Circuits merge in ten times the training.",
        "further work (§6); §4.3",
        "rise of the sharing index of C18 from the first snapshot after every task generalised to "
        "the last",
        f"by either kind of circuit it rises by at least {SHARING_ROSE}.",
        f"by neither it rises by more than {SHARING_FLAT}.",
        "It was not measured, not every task generalised, the last snapshot is less than "
        f"{AFTERWARDS} times as late as that, or circuits are worth no more than chance.",
        ("tenfold",),
        (),
    ),
)

QUESTIONS = {question.id: question for question in _ALL}
"""By id, in the order of the report and the ledger."""
