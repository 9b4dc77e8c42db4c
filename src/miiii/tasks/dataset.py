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


@dataclass(frozen=True)
class Split:
    """Index arrays into the canonical order n = 0 … p² − 1, each ascending, disjoint."""

    train: NDArray[np.int32]
    validation: NDArray[np.int32]
    test: NDArray[np.int32]


@dataclass(frozen=True)
class Dataset:
    """Every number of the domain with its digits and targets, and the split.

    Attributes:
        digits: [p², 2] int32, the columns x0 and x1.
        targets: [p², N] int32 class per task; for waves [p², 1] float64.
        moduli: [N], the modulus of each task.
        class_sizes: [N], the classes of each task; for waves (1,).
        split: which numbers train, validate and test.
    """

    digits: NDArray[np.int32]
    targets: NDArray[np.int32] | NDArray[np.float64]
    moduli: tuple[int, ...]
    class_sizes: tuple[int, ...]
    split: Split


def digest(dataset: Dataset) -> str:
    """Of the split and the targets, so that two runs' data can be compared."""
    found = hashlib.sha256()
    for array in (*vars(dataset.split).values(), dataset.targets):
        found.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    return found.hexdigest()[:16]


def make_split(config: TaskConfig, seed: int) -> Split:
    """Draw the split: a seeded permutation of the p² numbers, cut into three."""
    train, validation, _ = config.split_sizes
    order = generator(Stream.SPLIT, seed).permutation(config.base**2)
    order = order.astype(np.int32)
    cuts = np.split(order, [train, train + validation])
    return Split(*(np.sort(part) for part in cuts))


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
