"""A task's settings and their limits: what is learnt, and from which numbers."""

import math
import re
from dataclasses import dataclass
from typing import Literal, get_args

from miiii.refusals import check_choice, check_moduli
from miiii.tasks.primes import primes_below
from miiii.tasks.split_sizes import DRAWN, PAIRS, Share, given_sizes, pair_shares

TaskName = Literal["miiii", "nanda", "basis", "waves", "custom"]
Target = Literal["remainder", "divisibility"]
Operation = Literal["add", "subtract", "multiply", "divide", "x2xyy2"]
FORMULAS: dict[Operation, str] = {
    "add": "x0 + x1",
    "subtract": "x0 - x1",
    "multiply": "x0·x1",
    "divide": "x0 / x1",
    "x2xyy2": "x0² + x0·x1 + x1²",
}
"""Operations of T_nanda as they are shown; each modulo p."""
COMMUTATIVE: tuple[Operation, ...] = ("add", "multiply", "x2xyy2")
"""Operations that have the same answer for (x0, x1) and (x1, x0)."""
_DIGEST = re.compile(r"[0-9a-f]{16}")
"""The digest of a user's labels (`labels.keep_labels`)."""


@dataclass(frozen=True)
class TaskConfig:
    """The task and its data.

    Raises:
        ValueError: a field is out of its limits; the message names field, value and limits.
    """

    task: TaskName = "miiii"
    """What is learnt: miiii (n mod q for every modulus at once), nanda (x0 + x1 mod p),
    basis (miiii with shuffled labels), waves (one real output, Appendix D), or custom (labels
    given from Python with miiii.with_labels)."""
    base: int = 113
    """p: numbers have two base-p digits, so there are p² of them (≥ 3)."""
    moduli: tuple[int, ...] = ()
    """The moduli q of miiii and basis, each ≥ 2, none twice; empty: the primes below p. For custom
    they name the tasks."""
    target: Target = "remainder"
    """What is predicted about each modulus: the remainder n mod q (q classes), or divisibility
    [q divides n] (2 classes). miiii and basis only."""
    operation: Operation = "add"
    """nanda's operation on the two digits, modulo p: x0 + x1, x0 − x1, x0 · x1, divide
    (x0 / x1: numbers whose x1 has no inverse have no answer, and are left out) or x2xyy2
    (x0² + x0 · x1 + x1²)."""
    train_fraction: float = 0.3
    """Share of the p² numbers to train on, strictly between 0 and 1."""
    validation_size: int = 1000
    """Numbers to validate on; at most half of those that are not trained on, so fewer where p is
    small. All others are the test set."""
    split: str = DRAWN
    """Which numbers train: drawn (at random) or pairs (at random, (x0, x1) and (x1, x0) always in
    one part; for nanda's commutative operations). miiii.with_split gives any other split from
    Python; the run keeps it in split.npz."""
    masked_tasks: tuple[int, ...] = ()
    """Moduli left out of the training loss; they are still measured."""
    data_seed: int = -1
    """Seed of the split and of basis' shuffle; -1: the run's own seed."""
    classes: tuple[int, ...] = ()
    """Classes of each task of custom; written by miiii.with_labels."""
    labels: str = ""
    """A digest of custom's labels, which the run keeps in labels.npy; written by
    miiii.with_labels."""
    unanswered: int = 0
    """Numbers of custom that have no answer (label −1): in no part of the split, never counted;
    written by miiii.with_labels."""

    def __post_init__(self) -> None:
        check_choice("task", self.task, get_args(TaskName))
        check_choice("target", self.target, get_args(Target))
        check_choice("operation", self.operation, get_args(Operation))
        if self.base < 3:
            raise ValueError(f"base is {self.base}: it must be at least 3")
        if self.base > 4096:
            raise ValueError(f"base is {self.base}: it must be at most 4096 (p² numbers are held)")
        for field in ("moduli", "masked_tasks", "classes"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        check_moduli("moduli", self.moduli)
        check_moduli("masked_tasks", self.masked_tasks)
        if self.moduli and self.task in ("nanda", "waves"):
            raise ValueError(f"moduli is {self.moduli}: the task {self.task} takes none")
        self._check_labels()
        if self.target != "remainder" and self.task in ("nanda", "waves", "custom"):
            raise ValueError(f"target is {self.target!r}: the task {self.task} has no divisibility")
        if self.operation != "add" and self.task != "nanda":
            raise ValueError(
                f"operation is {self.operation!r}: only the task nanda has one, not {self.task}"
            )
        self._check_split()
        if not 0 < self.train_fraction < 1:
            raise ValueError(
                f"train_fraction is {self.train_fraction}: it must be strictly between 0 and 1"
            )
        if self.validation_size < 1:
            raise ValueError(f"validation_size is {self.validation_size}: it must be at least 1")
        if self.data_seed < -1 or self.data_seed >= 2**31:
            raise ValueError(
                f"data_seed is {self.data_seed}: it must be -1 (the run's seed) or 0 … 2³¹ − 1"
            )
        known = self.task_moduli
        for modulus in self.masked_tasks:
            if modulus not in known:
                raise ValueError(
                    f"masked_tasks has {modulus}: it must be among the moduli "
                    f"{', '.join(map(str, known))}"
                )
        if set(self.masked_tasks) >= set(known):
            raise ValueError("masked_tasks masks every task: leave at least one to train on")
        self.split_sizes  # noqa: B018 (refuses a split that leaves nothing)

    def _check_split(self) -> None:
        if self.split == PAIRS:
            if self.task != "nanda" or self.operation not in COMMUTATIVE:
                name = f"the operation {self.operation}" if self.task == "nanda" else self.task
                raise ValueError(
                    f"split is 'pairs': {name} may have different answers for (x0, x1) and "
                    f"(x1, x0); it is for nanda's {', '.join(COMMUTATIVE)} (labels of your own: "
                    "miiii.with_split)"
                )
        elif self.split != DRAWN:
            sizes = given_sizes(self.split)
            if sizes is None:
                raise ValueError(
                    f"split is {self.split!r}: it must be one of drawn, pairs (a split of your own "
                    "is given from Python, with miiii.with_split)"
                )
            if sum(sizes) != self.answered or not sizes[0] or not sizes[1]:
                raise ValueError(
                    f"split is {self.split!r}, of {sum(sizes)} numbers, but {self.answered} have "
                    "an answer: set the task first, then call miiii.with_split"
                )

    def _check_labels(self) -> None:
        if self.task != "custom":
            if self.labels or self.classes or self.unanswered:
                raise ValueError(
                    f"labels, classes and unanswered belong to the task custom, not {self.task}"
                )
            return
        if not 0 <= self.unanswered <= self.base**2 - 2:
            raise ValueError(
                f"unanswered is {self.unanswered}: it must be at least 0, and leave two of the "
                f"{self.base**2} numbers"
            )
        if not _DIGEST.fullmatch(self.labels):
            raise ValueError(
                f"labels is {self.labels!r}: the labels of the task custom are given from Python, "
                "with miiii.with_labels"
            )
        if not self.moduli or len(self.classes) != len(self.moduli) or min(self.classes) < 2:
            raise ValueError(
                f"classes is {self.classes}: the task custom needs a number of classes, at least "
                f"2, for each of its moduli {self.moduli}"
            )

    @property
    def task_moduli(self) -> tuple[int, ...]:
        """One modulus per task: [N]. waves has the single modulus 1 (a real number, no classes)."""
        if self.task == "nanda":
            return (self.base,)
        if self.task == "waves":
            return (1,)
        return self.moduli or primes_below(self.base)

    @property
    def class_sizes(self) -> tuple[int, ...]:
        """Classes per task, [N]; their sum is V, the number of outputs. waves: one real output."""
        if self.target == "divisibility":
            return (2,) * len(self.task_moduli)
        return self.classes or self.task_moduli

    @property
    def is_regression(self) -> bool:
        """Whether the output is a real number (waves) rather than classes."""
        return self.task == "waves"

    @property
    def answered(self) -> int:
        """How many of the p² numbers have an answer."""
        if self.task == "nanda" and self.operation == "divide":
            return self.base * sum(math.gcd(digit, self.base) == 1 for digit in range(self.base))
        return self.base**2 - self.unanswered

    @property
    def split_sizes(self) -> tuple[int, int, int]:
        """How many numbers train, validate and test; together all that have an answer.

        Raises:
            ValueError: no number is left to train on (one is always left to validate on).
        """
        if given := given_sizes(self.split):
            return given
        total = self.answered
        train = int(total * self.train_fraction)
        validation = min(self.validation_size, (total - train + 1) // 2)
        if train < 1:
            raise ValueError(
                f"train_fraction is {self.train_fraction}: with base {self.base} it leaves none of "
                f"the {total} numbers to train on; it must be at least {1 / total:.2g}"
            )
        if self.split == PAIRS:
            one, two, rest = pair_shares(
                Share(self.base, self.base * (self.base - 1) // 2), train, validation
            )
            return one.size, two.size, rest.size
        return train, validation, total - train - validation
