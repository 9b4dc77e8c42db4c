"""A task's numbers, targets and split, ready to train on."""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.streams import Stream, generator
from miiii.tasks import targets as target_functions
from miiii.tasks.config import TaskConfig
from miiii.tasks.labels import kept_labels
from miiii.tasks.numbers import digits
from miiii.tasks.split_sizes import PAIRS, given_sizes
from miiii.tasks.splits import Split, draw_pairs, draw_split, kept_split, mirror


@dataclass(frozen=True)
class Dataset:
    """Every number of the domain with its digits and targets, and the split.

    Attributes:
        digits: [p², 2] int32, the columns x0 and x1.
        targets: [p², N] int32 class per task, −1 where a number has no answer; for waves [p², 1]
            float64.
        moduli: [N], the modulus of each task.
        class_sizes: [N], the classes of each task; for waves (1,).
        split: which numbers train, validate and test.
    """

    digits: NDArray[np.int32]
    targets: NDArray[np.int32] | NDArray[np.float64]
    moduli: tuple[int, ...]
    class_sizes: tuple[int, ...]
    split: Split

    @property
    def base(self) -> int:
        """The base p of the digits."""
        return math.isqrt(len(self.digits))

    @property
    def answered(self) -> NDArray[np.int32]:
        """The numbers that have an answer, ascending: all but those labelled −1."""
        return answered_numbers(self.targets)


def answered_numbers(targets: NDArray[np.int32] | NDArray[np.float64]) -> NDArray[np.int32]:
    """The rows of targets [p², N] that have an answer in every task."""
    if not np.issubdtype(targets.dtype, np.integer):
        return np.arange(len(targets), dtype=np.int32)
    return np.flatnonzero((targets >= 0).all(axis=1)).astype(np.int32)


def digest(dataset: Dataset) -> str:
    """16 hex digits of the SHA-256 of split and targets: equal if two runs' data are equal."""
    summed = hashlib.sha256()
    for array in (*vars(dataset.split).values(), dataset.targets):
        summed.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    return summed.hexdigest()[:16]


def make_split(config: TaskConfig, seed: int) -> Split:
    """The split that `config.split` names: drawn, drawn in mirrored pairs, or given by the user.

    Raises:
        ValueError: this process has not read the given split, or it does not hold the numbers that
            have an answer, each once.
    """
    train, validation, _ = config.split_sizes
    drawing = generator(Stream.SPLIT, seed)
    answered = _answered(config)
    if config.split == PAIRS:
        return draw_pairs(answered, config.base, train, validation, drawing)
    if given_sizes(config.split) is None:
        return draw_split(answered, train, validation, drawing)
    split = kept_split(config.split)
    together = np.concatenate([split.train, split.validation, split.test])
    if not np.array_equal(np.sort(together), answered):
        raise ValueError(
            f"split is {config.split!r}: it is no split of the {len(answered)} numbers that have "
            "an answer; set the task first, then call miiii.with_split"
        )
    return split


def _answered(config: TaskConfig) -> NDArray[np.int32]:
    if config.answered == config.base**2:
        return np.arange(config.base**2, dtype=np.int32)
    return answered_numbers(make_targets(config, 0))


def make_targets(config: TaskConfig, seed: int) -> NDArray[np.int32] | NDArray[np.float64]:
    """The targets of all p² numbers, [p², N].

    Raises:
        ValueError: this process has not read the labels of the task custom, or they do not fit it.
    """
    if config.task == "custom":
        return _custom(config)
    if config.task == "waves":
        return target_functions.waves(config.base)
    if config.task == "nanda":
        return target_functions.nanda(config.base, config.operation)
    divisibility = config.target == "divisibility"
    make = target_functions.divisibility if divisibility else target_functions.remainders
    labels = make(config.base, config.task_moduli)
    if config.task == "basis":
        return target_functions.shuffle_rows(labels, generator(Stream.SHUFFLED_LABELS, seed))
    return labels


def _custom(config: TaskConfig) -> NDArray[np.int32]:
    labels = kept_labels(config.labels)
    expected = (config.base**2, len(config.classes))
    if labels.shape != expected or (labels.max(axis=0) >= config.classes).any():
        raise ValueError(
            f"the labels {config.labels!r} have shape {labels.shape} and classes up to "
            f"{labels.max(axis=0)}: expected {expected}, below {config.classes}"
        )
    if len(answered_numbers(labels)) != config.answered:
        raise ValueError(
            f"unanswered is {config.unanswered}: the labels {config.labels!r} have "
            f"{len(labels) - len(answered_numbers(labels))} numbers without an answer"
        )
    return labels


def build_dataset(config: TaskConfig, seed: int) -> Dataset:
    """Make the data of one run.

    Args:
        config: the task.
        seed: the run's seed; `config.data_seed` takes its place unless it is -1.
    """
    data_seed = seed if config.data_seed == -1 else config.data_seed
    return Dataset(
        digits=digits(config.base),
        targets=make_targets(config, data_seed),
        moduli=config.task_moduli,
        class_sizes=config.class_sizes,
        split=make_split(config, data_seed),
    )


def is_commutative(targets: NDArray[np.int32] | NDArray[np.float64]) -> bool:
    """Whether (x0, x1) and (x1, x0) have the same answers: targets [p², N]."""
    numbers = np.arange(len(targets))
    return np.array_equal(targets, targets[mirror(numbers, math.isqrt(len(targets)))])


def mirrored_numbers(dataset: Dataset) -> NDArray[np.int32] | None:
    """Validation numbers (x0, x1) whose mirror (x1, x0) is trained on.

    Returns:
        None where exchanging the digits changes an answer.
    """
    if not is_commutative(dataset.targets):
        return None
    validation = dataset.split.validation
    return validation[np.isin(mirror(validation, dataset.base), dataset.split.train)]


def mirrored_text(dataset: Dataset) -> str:
    """One sentence on validation numbers whose mirror is trained on; "" where there are none."""
    found = mirrored_numbers(dataset)
    if found is None or not len(found):
        return ""
    return (
        f"(x0, x1) and (x1, x0) have the same answer in this task: {len(found):,} of "
        f"{len(dataset.split.validation):,} validation numbers have their mirror in training, and "
        "a model that treats both digits alike answers them from there (--split pairs keeps both "
        "in one part)"
    )
