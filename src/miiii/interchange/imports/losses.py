"""Training losses in a published file: `train_losses` and `test_losses`, in nats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _empty() -> NDArray[np.float64]:
    return np.zeros(0)


@dataclass(frozen=True)
class Losses:
    """The losses in a file, in nats.

    Attributes:
        train: [E], training loss of each epoch, before its update.
        test: [M], loss on the inputs that did not train.
        step: test losses belong to epochs 0, step, 2 · step, …; 0 if the step is unknown.
        last_train: the last training loss; None if the file has none.
        last_test: the last test loss; None if the file has none.
    """

    train: NDArray[np.float64] = field(default_factory=_empty)
    test: NDArray[np.float64] = field(default_factory=_empty)
    step: int = 0
    last_train: float | None = None
    last_test: float | None = None

    @property
    def epochs(self) -> int:
        """Number of epochs with training losses, E."""
        return len(self.train)


def read_losses(content: Mapping[str, Any]) -> tuple[Losses, list[str]]:
    """The losses in a file, and a note for each entry that was not understood."""
    notes: list[str] = []
    train = _series(content, "train_losses", notes)
    test = _series(content, "test_losses", notes)
    step = _step(len(train), len(test))
    if len(test) and not step:
        notes.append(
            f"test_losses has {len(test):,} entries for {len(train):,} epochs: their epochs are "
            "unknown, so that only the last one was used"
        )
    return Losses(
        train, test, step, _last(train, content, "train_loss"), _last(test, content, "test_loss")
    ), notes


def _series(content: Mapping[str, Any], name: str, notes: list[str]) -> NDArray[np.float64]:
    given = content.get(name)
    if given is None:
        return _empty()
    try:
        array = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        array = np.zeros((0, 0))
    if isinstance(given, Sequence | np.ndarray) and array.ndim == 1 and not len(array):
        return _empty()
    if array.ndim != 1 or not np.isfinite(array).all() or (array < 0).any():
        notes.append(f"{name} is not a list of losses: it was not used")
        return _empty()
    return array


def _step(epochs: int, tests: int) -> int:
    """The step k = epochs / tests, or the only k with tests = ⌈epochs / k⌉; else 0."""
    if not epochs or not tests:
        return 0
    if epochs % tests == 0:
        return epochs // tests
    fitting = [k for k in {epochs // tests, epochs // tests + 1} if k and -(-epochs // k) == tests]
    wider = bool(fitting) and -(-epochs // (max(fitting) + 1)) == tests
    return fitting[0] if len(fitting) == 1 and not wider else 0


def _last(series: NDArray[np.float64], content: Mapping[str, Any], name: str) -> float | None:
    if len(series):
        return float(series[-1])
    value = content.get(name)
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(value, int | float) and np.isfinite(value) and value >= 0:
        return float(value)
    return None
