"""A task's numbers, targets and split, ready to train on."""

import hashlib
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

__all__ = ["Dataset", "Split", "build_dataset", "make_split", "make_targets", "mirrored_numbers"]


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
    def answered(self) -> NDArray[np.int32]:
        """The numbers that have an answer, ascending: all but those labelled −1."""
        return answered_numbers(self.targets)


def answered_numbers(targets: NDArray[np.int32] | NDArray[np.float64]) -> NDArray[np.int32]:
    """The rows of targets [p², N] that have an answer in every task."""
    if not np.issubdtype(targets.dtype, np.integer):
        return np.arange(len(targets), dtype=np.int32)
    return np.flatnonzero((targets >= 0).all(axis=1)).astype(np.int32)


def digest(dataset: Dataset) -> str:
    """Of the split and the targets, so that two runs' data can be compared."""
    found = hashlib.sha256()
    for array in (*vars(dataset.split).values(), dataset.targets):
        found.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    return found.hexdigest()[:16]


def make_split(config: TaskConfig, seed: int) -> Split:
    """The split: a seeded permutation of the numbers that have an answer, cut into three.

    Other rules by `config.split`: mirrored pairs on one side, or the split that was given.

    Raises:
        ValueError: a split that was given is not in this process, or has numbers without an answer.
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
            "an answer; make it with miiii.with_split after the task is set"
        )
    return split


def _answered(config: TaskConfig) -> NDArray[np.int32]:
    if config.answered == config.base**2:
        return np.arange(config.base**2, dtype=np.int32)
    return answered_numbers(make_targets(config, 0))


def make_targets(config: TaskConfig, seed: int) -> NDArray[np.int32] | NDArray[np.float64]:
    """The targets of all p² numbers, [p², N].

    Raises:
        ValueError: the labels of the task custom are not in this process, or do not fit it.
    """
    if config.task == "custom":
        return _custom(config)
    if config.task == "waves":
        return target_functions.waves(config.base)
    if config.task == "nanda":
        return target_functions.nanda(config.base, config.operation)
    labels = (
        target_functions.remainders
        if config.target == "remainder"
        else target_functions.divisibility
    )(config.base, config.task_moduli)
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
    """Whether exchanging the two digits changes no answer: targets [p², N]."""
    base = round(len(targets) ** 0.5)
    return np.array_equal(targets, targets[mirror(np.arange(base**2), base)])


def mirrored_numbers(dataset: Dataset) -> NDArray[np.int32] | None:
    """Validation numbers whose mirror, digits exchanged, was trained on.

    Returns:
        None where exchanging the digits changes an answer: then a mirror says nothing.
    """
    if not is_commutative(dataset.targets):
        return None
    base, validation = round(len(dataset.digits) ** 0.5), dataset.split.validation
    return validation[np.isin(mirror(validation, base), dataset.split.train)]


def mirrored_text(dataset: Dataset) -> str:
    """What a mirrored split means for the accuracy, in one sentence; "" where it says nothing."""
    found = mirrored_numbers(dataset)
    if found is None or not len(found):
        return ""
    return (
        f"the order of the digits is nothing to this task: {len(found):,} of "
        f"{len(dataset.split.validation):,} validation numbers (x0, x1) have their mirror (x1, x0) "
        "in training, and a model that reads both alike answers them from there (--split pairs "
        "keeps both on one side)"
    )
