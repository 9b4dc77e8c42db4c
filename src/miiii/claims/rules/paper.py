"""Every claim with its rule, and every threshold with its reason, written before any run.

A rule gives each run a vote: for the claim, against it, unclear (between the two thresholds of the
rule) or silent (the rule cannot be applied). A claim is decided if at least `LEAST_SEEDS` runs are
not silent and all of these agree. The texts are made from the numbers, so that both agree. The file
is longer than most, so that all rules can be read together.
"""

from dataclasses import dataclass

from miiii.claims.text import number, percent

EXPERIMENTS = (
    "miiii",
    "nanda",
    "basis",
    "no-dropout",
    "lambda-0",
    "lambda-2",
    "matched-half",
    "matched-2",
    "masked",
    "waves",
)
"""The experiments of a study: T_miiii (λ = ½), T_nanda, T_basis, dropout 0, λ = 0, λ = 2, λ = 0
with the learning rate times 1.5 (matched to λ = ½) and times 3 (matched to λ = 2), 2, 3, 5 and 7
masked, and the waves of Appendix D."""

INSIDE = ("nanda", "basis")
"""Experiments whose last weights claims analyse (C6, C7, C10 to C14, C17)."""
FOLLOWED = ("miiii",)
"""Experiments whose snapshots claims analyse as well (C9, C17, C18)."""

LEAST_SEEDS = 2
"""Runs that must not be silent. Two is the smallest number at which runs can disagree."""

FIRST_FOUR = (2, 3, 5, 7)
"""The tasks that the paper says are learnt first (§4.2)."""

# Learnt tasks

GENERALISED_AT = 0.9
"""Validation accuracy from which a task counts as generalised, if it stays there: the level at
which the published curves were read off (guessing reaches 0.5 at most)."""
SOLVED_AT = 0.99
"""Validation accuracy that the text's "perfect" is read as: ten mistakes in 1,000 numbers."""
GENERALISED_SHARE = 0.9
"""A run has generalised, or converged, when this share of its trained tasks holds `GENERALISED_AT`:
all but two of 29 tasks, all but one of 12."""
NOT_CONVERGED_SHARE = 0.5
"""Below this share of tasks a run has not converged; between both shares it is unclear."""
STILL_LEARNING = 0.01
"""A mean validation accuracy that rose by more than this over the last tenth of the training is
still rising: more than the one mistake in a hundred that `SOLVED_AT` allows."""

# C3

ORDER_LIMIT = 0.7
"""Rank correlation below which q explains less than half of the variance of the ranks (0.7² = ½):
"no particular order" needs the whole interval below it and 0 inside it."""

# C5

DIVERGED = 1.5
"""Late over lowest validation loss. Fluctuations of a few per cent are far below it."""
NOT_DIVERGED = 1.1
"""The same ratio, up to which the loss counts as having stayed at its lowest."""
FITTED = 0.95
"""Training accuracy that makes a rising validation loss overfitting rather than collapse."""

# C6, C7

STRONGEST = 5
"""Pairs of frequencies whose share of a neuron's variance is measured: about the number of bright
spots per neuron in the paper's Figure 6, and few of the hundreds of pairs."""
PERIODIC = 2.0
"""Ratio of the share to that of the same neurons with digits renamed, from which they are
periodic."""
NOT_PERIODIC = 1.25
"""Ratio up to which they are not: sampling noise reaches it."""
BASIS_LEARNT = 0.5
"""Training accuracy from which T_basis has learnt most of its labels. That an untrained model is
aperiodic is no evidence about the task."""

# C8

VARIANCE_SHARE = 0.9
"""Share of a neuron's variance that the counted frequencies hold (§4.4's "highly reactive")."""
VERY_FEW = 5
"""Frequencies: the paper's "handful" (§5). A frequency k/q that is no multiple of 1/p leaks into
its neighbours: half-way between two multiples, four frequencies hold 90 % of it."""
NOT_FEW = 10
"""Frequencies: one such k/q per digit needs at most eight, so that more than ten mean more than one
k/q per digit."""
NULL_SHARE = 0.5
"""Largest ratio of "few" to the frequencies that the same neurons need with digits renamed; at a
small p even all frequencies are few."""

# C9, C17

APPEARED = 2
"""Frequencies that must be added after generalisation. By the paper's rule noise adds or removes
one or two."""
BEFORE_SHARE = 0.5
"""Share of the final count at generalisation, above which the frequencies came before it."""
COUNT_FACTOR = 2.0
"""Factor within which counts match the paper's 9 and 4 (at p = 113 only)."""
PAPER_COUNT_END, PAPER_COUNT_FIRST_FOUR, PAPER_BASE = 9, 4, 113
SNAPSHOT_REACH = 1.25
"""Largest ratio of a snapshot's epoch to the epoch that it represents; neighbouring snapshots are a
factor of 1.19 apart."""
STILL_WAITING = 0.25
"""Largest share of the other tasks that may hold when the first four are measured."""
SAME_COUNT = 1
"""Frequencies by which "about as many" may differ, or a quarter of T_nanda's if that is more."""

# C10

PEARSON_ALIKE = 0.8
"""r at or above this: "virtually identical" positions; half of the variance shared is 0.71."""
PEARSON_NOT_ALIKE = 0.5
PEARSON_OPPOSED = -0.3
"""r at or below this: opposed, as the paper's −0.64 is. Chance gives |r| < 0.18 at width 128 and
< 0.13 at 256, 19 times in 20."""
PEARSON_NOT_OPPOSED = 0.0

# C12

LEADING_VECTORS = 10
"""Leading singular vectors that are tested: about as many as Figures 12 and 13 show."""
VECTOR_LEVEL = 0.05
"""Probability that a random vector counts as periodic."""
PERIODIC_VECTORS = 8
"""Of 10 that must be periodic. Random vectors reach it once in 5·10⁸; two of the 10 may hold the
mean or a mixture."""
APERIODIC_VECTORS = 2
"""Of 10 that may be periodic where vectors are not: random ones stay at or below it in 99 % of
cases."""

# C13

FEW_FREQUENCIES = 0.5
"""Share of the frequencies that a random matrix needs, up to which they are few. Addition uses a
handful of frequencies at any p, a random matrix needs nine tenths of all."""
MANY_TIMES = 1.5
"""Ratio of T_miiii's frequencies to T_nanda's from which they are many; seeds of one task differ by
less."""

# C14

ONE_DIGIT = 0.8
"""|to x0 − to x1| / (to x0 + to x1) from which a head looks at one digit: this digit gets nine
tenths of the attention to both."""
ON_DIGITS = 0.5
"""Least attention to both digits together of a head that looks at one."""
HEADS_AGAINST = 0.5
"""Share of the heads that look at one digit, below which the claim fails."""

# C15

AT_REST = 0.1
"""Share of its peak below which a gradient norm is at rest."""
EARLY = 0.25
"""Share of the training by which attention's gradients must rest, all four weights' median."""
EARLIER = 0.5
"""Largest share of the epoch from which the MLP's gradients rest."""

# C18

SHARING_ROSE = 0.1
"""Rise of the sharing index, which is 1 for one common circuit. Separate circuits were once seen to
rise by a tenth of this."""
SHARING_FLAT = 0.03
"""Rise up to which circuits have not merged."""
AFTERWARDS = 1.5
"""Least ratio of the last snapshot's epoch to that of generalisation. The paper's run reached 1.6
(65,536 over 41,900)."""

# C19

TEST_WORKS = 0.99
"""Precision, and recall of the primes from p up, from which the test works: one error in 100."""
TEST_FAILS = 0.95
"""The same, up to which the test fails: one error in 20."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and the rule that judges it."""

    id: str
    claim: str
    """One sentence."""
    where: str
    """In the paper."""
    statistic: str
    reproduced: str
    not_reproduced: str
    undecided: str
    """Causes besides too few seeds and seeds that disagree."""
    experiments: tuple[str, ...]
    """Keys of `EXPERIMENTS`, at least `LEAST_SEEDS` seeds each."""
    figures: tuple[int, ...]
    """The paper's figures that show it."""

    @property
    def beyond(self) -> bool:
        """Whether it is a question of the further work, which the paper does not answer."""
        return self.id.startswith("B")


_NEEDS_GENERAL = "Runs that never generalised do not speak."

_ALL = (
    Claim(
        "C1",
        "All tasks generalise.",
        "§4.2, Figure 4",
        f"tasks with validation accuracy ≥ {SOLVED_AT} at the end; accuracy on all p² numbers",
        f"every task is at {SOLVED_AT} or above.",
        "a task is below, though training is over.",
        f"A run that is not trained to its end, or whose mean validation accuracy still rose by "
        f"more than {STILL_LEARNING} over the last tenth of it, does not speak.",
        ("miiii",),
        (4,),
    ),
    Claim(
        "C2",
        "2, 3, 5 and 7 generalise first, in that order.",
        "§4.2, Figure 4",
        f"first epoch from which validation accuracy holds {GENERALISED_AT}, per task",
        "the epochs of 2, 3, 5 and 7 ascend, and every other task's is later.",
        "they do not ascend, or another task is as early as one of them.",
        "A run in which one of the four has not generalised yet, and nothing contradicts the "
        "order so far, does not speak.",
        ("miiii",),
        (4,),
    ),
    Claim(
        "C3",
        "The other tasks generalise together, in no particular order.",
        "§4.2, Figure 4",
        "spread of their epochs over the gap before them (logarithms of epochs); rank "
        "correlation of epoch and q, averaged over seeds",
        "the spread is at most the gap (they are nearer to each other than to the first four), "
        f"and the 95 % interval of the rank correlation holds 0 and lies within ±{ORDER_LIMIT}.",
        "the spread is above the gap in every run, or the interval excludes 0.",
        "A run in which not every task has generalised, or the first four are not before the "
        "others, does not speak. Few tasks (p below about 80) make the interval too wide to show "
        "that there is no order.",
        ("miiii",),
        (4,),
    ),
    Claim(
        "C4",
        "Without the gradient filter (λ = 0) the model does not converge.",
        "§4.1, Figure 24",
        f"share of tasks that hold {GENERALISED_AT} by the last epoch that all compared runs "
        "reached; median epoch over tasks; λ = 0, ½, 2, and λ = 0 at learning rates × 1.5 and × 3",
        f"with λ = ½ at least {percent(GENERALISED_SHARE)} of the tasks hold; with λ = 0, at the "
        "same learning rate and at the matched one (× 1.5), fewer than "
        f"{percent(NOT_CONVERGED_SHARE)}.",
        "with λ = 0, at any of the three learning rates, at least "
        f"{percent(GENERALISED_SHARE)} hold: then it takes no filter.",
        "λ = ½ itself did not converge by then: there is nothing to compare with.",
        ("miiii", "lambda-0", "lambda-2", "matched-half", "matched-2"),
        (24,),
    ),
    Claim(
        "C5",
        "Without dropout the validation diverges.",
        "§4.2, Figures 5 and 18",
        "late over lowest validation loss, and accuracies, with dropout 0; the same with dropout",
        f"without dropout the late validation loss is at least {DIVERGED} times its lowest, with "
        f"training accuracy at {FITTED} or above and validation accuracy below "
        f"{GENERALISED_AT}; with dropout it is below {DIVERGED} times.",
        f"without dropout the late loss is at most {NOT_DIVERGED} times its lowest, or the "
        f"validation accuracy is {GENERALISED_AT} or above.",
        "With dropout it diverges as well: then dropout is not what decides.",
        ("no-dropout", "miiii"),
        (5, 18),
    ),
    Claim(
        "C6",
        "The MLP's activations are periodic in (x0, x1).",
        "§4.3, Figure 6",
        f"share of a neuron's variance in its {STRONGEST} strongest pairs of frequencies, after "
        "W_out (median over neurons), over the same with the digits renamed; beside T_basis",
        f"the share is at least {PERIODIC:g} times that of every renaming's median, and the "
        "ratio is above that of every T_basis run.",
        f"the ratio is at most {NOT_PERIODIC}, or not above that of any T_basis run.",
        _NEEDS_GENERAL,
        ("miiii", "basis"),
        (6,),
    ),
    Claim(
        "C7",
        "The activations of a model trained on T_basis are not periodic.",
        "§4.3, Figure 7",
        "as for C6, on T_basis",
        f"the ratio is at most {NOT_PERIODIC}.",
        f"the ratio is at least {PERIODIC:g}.",
        f"A run with training accuracy below {BASIS_LEARNT} has learnt too little to speak.",
        ("basis",),
        (7,),
    ),
    Claim(
        "C8",
        "Each neuron answers to a very small set of frequencies.",
        "§4.4",
        f"single frequencies that hold {percent(VARIANCE_SHARE)} of a hidden neuron's variance: "
        "median and quartiles over neurons; beside the same with the digits renamed",
        f"the median is at most {VERY_FEW}, and at most {percent(NULL_SHARE)} of that with the "
        "digits renamed.",
        f"the median is above {NOT_FEW}, or above {percent(NULL_SHARE)} of that with the digits "
        "renamed.",
        _NEEDS_GENERAL,
        ("miiii",),
        (6,),
    ),
    Claim(
        "C9",
        "Significant frequencies appear after generalisation: 9 at the end, 4 after the first "
        "four tasks.",
        "§4.3, §5, Figure 8",
        "frequencies above μ + 2σ at generalisation and at the end, all hidden neurons, whole "
        "grid; and frequencies above everything that renamed digits reach (calibrated)",
        f"by both counts at least {APPEARED} frequencies come after generalisation and at most "
        f"{percent(BEFORE_SHARE)} of the final ones were there at it; at p = {PAPER_BASE} the "
        f"paper's count is also within a factor of {COUNT_FACTOR:g} of {PAPER_COUNT_END} at the "
        f"end and of {PAPER_COUNT_FIRST_FOUR} after the first four tasks.",
        f"by the calibrated count more than {percent(BEFORE_SHARE)} of the final frequencies were "
        "there at generalisation, or there are none at the end.",
        "The two counts disagree, the numbers are off, or no snapshot is later than "
        f"generalisation. {_NEEDS_GENERAL}",
        ("miiii",),
        (8,),
    ),
    Claim(
        "C10",
        "The two digits' positional embeddings are alike in T_nanda (r = 0.95) and opposed in "
        "T_miiii (r = −0.64).",
        "§4.4, Figure 10",
        "Pearson r of the two digits' positional embeddings",
        f"r ≥ {PEARSON_ALIKE} in T_nanda and r ≤ {number(PEARSON_OPPOSED)} in T_miiii.",
        f"r ≤ {PEARSON_NOT_ALIKE} in T_nanda, or r ≥ {PEARSON_NOT_OPPOSED:g} in T_miiii.",
        _NEEDS_GENERAL,
        ("nanda", "miiii"),
        (10,),
    ),
    Claim(
        "C11",
        "The singular values of the token embedding are more diffuse in T_miiii than in T_nanda.",
        "§4.4, Figure 11",
        "singular components for 50 % and for 90 % of the variance (σ²), at equal width",
        "every T_miiii run needs more components than every T_nanda run, for 50 % and for 90 %.",
        "no T_miiii run needs more than the T_nanda run that needs least, for 50 % or for 90 %.",
        f"The widths or bases differ. {_NEEDS_GENERAL}",
        ("nanda", "miiii"),
        (11,),
    ),
    Claim(
        "C12",
        "The leading singular vectors of the token embedding are periodic in both models.",
        "§4.4, Figures 12 and 13",
        f"leading vectors, of {LEADING_VECTORS}, whose strongest frequency holds more of their "
        f"power than that of {percent(1 - VECTOR_LEVEL)} of random vectors",
        f"at least {PERIODIC_VECTORS} of {LEADING_VECTORS}, in T_nanda and in T_miiii.",
        f"at most {APERIODIC_VECTORS} of {LEADING_VECTORS}, in T_nanda or in T_miiii.",
        _NEEDS_GENERAL,
        ("nanda", "miiii"),
        (12, 13),
    ),
    Claim(
        "C13",
        "Few embedding frequencies are active in T_nanda, many in T_miiii.",
        "§4.4, Figures 14 and 15",
        f"strongest frequencies that hold {percent(VARIANCE_SHARE)} of the token embedding's "
        "power, against random matrices of the same shape; beside the number above μ + 2σ and "
        "above renamed digits. (Counting what stands out cannot tell many from few: where all "
        "frequencies are equally active none does.)",
        f"T_nanda needs at most {percent(FEW_FREQUENCIES)} of what random matrices need; every "
        f"T_miiii run needs at least {MANY_TIMES:g} times as many as every T_nanda run, and fewer "
        "than every random matrix.",
        f"T_nanda needs more than {percent(FEW_FREQUENCIES)} of what random matrices need, or "
        "T_miiii needs no more than the T_nanda run that needs least, or as many as a random "
        "matrix.",
        f"The bases differ. {_NEEDS_GENERAL}",
        ("nanda", "miiii"),
        (14, 15),
    ),
    Claim(
        "C14",
        "Each of T_miiii's heads looks at one digit or the other.",
        "§4.5, Figure 16",
        "per head the mean attention to each digit, their preference |a0 − a1| / (a0 + a1), and "
        "the entropy",
        f"every head has a preference of at least {ONE_DIGIT} and at least {ON_DIGITS} of its "
        "attention on the digits, and each digit has a head.",
        f"fewer than {percent(HEADS_AGAINST)} of the heads do.",
        f"Some heads do, or all look at the same digit. {_NEEDS_GENERAL}",
        ("miiii",),
        (16,),
    ),
    Claim(
        "C15",
        "The gradients of attention settle early.",
        "§4.3, Figure 9",
        f"epoch from which a weight's gradient norm stays below {percent(AT_REST)} of its peak: "
        "median of attention's four weights, against the MLP's two",
        f"attention's is within the first {percent(EARLY)} of the training and at most "
        f"{percent(EARLIER)} of the MLP's.",
        "attention's never comes to rest, or not before the MLP's.",
        f"A run that is not trained to its end does not speak. {_NEEDS_GENERAL}",
        ("miiii",),
        (9,),
    ),
    Claim(
        "C16",
        "Masking 2, 3, 5 and 7 prevents the other tasks from generalising.",
        "§7",
        f"share of the other tasks that hold {GENERALISED_AT} by the last epoch that all compared "
        "runs reached, and their median epoch, with and without the mask",
        f"without the mask at least {percent(GENERALISED_SHARE)} of them hold, with it fewer than "
        f"{percent(NOT_CONVERGED_SHARE)}.",
        f"with the mask at least {percent(GENERALISED_SHARE)} hold as well.",
        "Without the mask they have not generalised by then either.",
        ("masked", "miiii"),
        (4,),
    ),
    Claim(
        "C17",
        "The first four tasks use about as many frequencies as T_nanda.",
        "§5",
        "the counts of C9 when the first four tasks hold, against T_nanda's at its end (median "
        "over seeds)",
        f"by both counts they differ by at most {SAME_COUNT}, or by a quarter of T_nanda's.",
        f"by both counts they differ by more, and by more than a factor of {COUNT_FACTOR:g}.",
        "The two counts disagree. A run without a snapshot shortly after the first four hold, or "
        f"with more than {percent(STILL_WAITING)} of the others holding by then, does not speak; "
        "neither does a T_nanda that never generalised.",
        ("miiii", "nanda"),
        (8,),
    ),
    Claim(
        "C18",
        "Circuits merge after generalisation.",
        "§4.3, §5",
        "damage to the other tasks when one task's circuit is removed from the MLP, as a share of "
        "the damage to that task, both beyond that of removing as much at random (sharing index): "
        "last snapshot less the first after all tasks generalised. A circuit is the neurons "
        "attributed to the task, or its harmonics on the number line",
        f"by either kind of circuit the index rises by at least {SHARING_ROSE}.",
        f"by neither it rises by more than {SHARING_FLAT}.",
        "It was not measured, not every task generalised, the last snapshot is less than "
        f"{AFTERWARDS} times as late as that, or circuits are worth no more than chance.",
        ("miiii",),
        (8,),
    ),
    Claim(
        "C19",
        "Together the tasks test primality: primes are the numbers without a remainder 0.",
        "§1",
        'precision and recall of "no predicted remainder is 0" on all numbers above 1. The primes '
        "below p have remainder 0 for themselves, so that right remainders miss them; recall is "
        "judged on the primes from p up",
        f"precision and recall are at least {TEST_WORKS}.",
        f"precision or recall is at most {TEST_FAILS}.",
        _NEEDS_GENERAL,
        ("miiii",),
        (1,),
    ),
)

CLAIMS = {claim.id: claim for claim in _ALL}
"""C1 to C19."""
