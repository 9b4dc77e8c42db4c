"""A split that a user gives: by hand or by a rule."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.config.config import Config, replace_fields
from miiii.streams import Stream, generator
from miiii.tasks.dataset import answered_numbers, is_commutative, make_targets
from miiii.tasks.numbers import digits
from miiii.tasks.split_sizes import DRAWN, PAIRS
from miiii.tasks.splits import draw_pairs, keep_split

Rule = Callable[[NDArray[np.int32], NDArray[np.int32]], ArrayLike]
"""(x0, x1), each [p²], to a boolean for every number."""


def with_split(
    config: Config, train: ArrayLike | Rule | str, validation: ArrayLike | Rule | None = None
) -> Config:
    """A configuration with given training and validation numbers.

    A run that is started with it stores the split in its directory (split.npz), and is resumed,
    drawn and certified with it. Set the task first: labels and base decide which numbers there are.

    Args:
        config: where everything else comes from.
        train: the training numbers n = x0 + p·x1: a list, a boolean for each of the p², a rule
            (x0, x1) → boolean, or "pairs": as many as `train_fraction` says, drawn so that (x0, x1)
            and (x1, x0) are in the same part. A mask or a rule skips numbers without an answer.
        validation: the validation numbers, in the same forms; default: all that do not train (with
            "pairs" as many as `validation_size` says). The test set is the rest.

    Returns:
        A configuration whose `split` identifies these numbers.

    Example:
        >>> from miiii import get_preset
        >>> config = with_split(get_preset("nanda"), lambda x0, x1: x0 <= x1)
        >>> config.task.split_sizes
        (6441, 6328, 0)

    Raises:
        ValueError: no number trains or validates, or a number is in both, is given twice, is
            outside 0 … p² − 1 or has no answer.
    """
    task = config.task
    seed = config.seed if task.data_seed == -1 else task.data_seed
    targets = make_targets(task, seed)
    answered = answered_numbers(targets)
    if isinstance(train, str):
        if train != PAIRS or validation is not None:
            raise ValueError(
                f"train is {train!r}: expected numbers, a mask, a rule, or {PAIRS!r} on its own"
            )
        if not is_commutative(targets):
            raise ValueError(
                f"train is {PAIRS!r}: the task answers some (x0, x1) and (x1, x0) differently"
            )
        train_size, validation_size, _ = replace_fields(config, split=DRAWN).task.split_sizes
        split = draw_pairs(
            answered, task.base, train_size, validation_size, generator(Stream.SPLIT, seed)
        )
        return replace_fields(config, split=keep_split(vars(split)))
    chosen = _numbers("train", train, task.base, answered)
    rest = np.setdiff1d(answered, chosen)
    validated = (
        rest if validation is None else _numbers("validation", validation, task.base, answered)
    )
    both = np.intersect1d(chosen, validated)
    if len(both):
        raise ValueError(
            f"the number {both[0]} is in train and in validation: expected one of them"
        )
    if not len(chosen) or not len(validated):
        raise ValueError(
            f"train has {len(chosen)} numbers, validation {len(validated)}: each needs at least 1"
        )
    parts = {"train": chosen, "validation": validated, "test": np.setdiff1d(rest, validated)}
    return replace_fields(config, split=keep_split(parts))


def _numbers(
    name: str, given: ArrayLike | Rule, base: int, answered: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Given numbers in ascending order, checked."""
    found: Any = np.asarray(given(*digits(base).T) if callable(given) else given)
    if found.dtype == bool:
        if found.shape != (base**2,):
            raise ValueError(
                f"{name} has shape {found.shape}: expected a boolean for each of {base**2} numbers"
            )
        return np.intersect1d(np.flatnonzero(found), answered).astype(np.int32)
    if not found.size:
        found = found.astype(int)
    if callable(given) or found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(
            f"{name} is of {found.dtype}, shape {found.shape}: expected a list of whole "
            "numbers, or booleans"
        )
    ordered, counts = np.unique(found, return_counts=True)
    if len(ordered) and (ordered[0] < 0 or ordered[-1] >= base**2):
        wrong = ordered[0] if ordered[0] < 0 else ordered[-1]
        raise ValueError(f"{name} has {wrong}: expected 0 to p² − 1 = {base**2 - 1}")
    if (counts > 1).any():
        raise ValueError(f"{name} has {ordered[counts.argmax()]} twice: each number may stand once")
    if len(without := np.setdiff1d(ordered, answered)):
        raise ValueError(f"{name} has {without[0]}, a number without an answer: leave it out")
    return ordered.astype(np.int32)
