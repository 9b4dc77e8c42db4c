"""Read from a published file which inputs trained: as places, as a mask, or as pairs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_KEYS = ("train_indices", "train_data", "train_pairs")
_PERHAPS = re.compile(r"(is_)?(train|training|trn)(_?(mask|idx|idxs|inds|ids|set|split|inputs|x))?")
"""Names under which other files keep training inputs, in unknown forms."""


@dataclass(frozen=True)
class TrainingPairs:
    """Inputs that trained.

    Attributes:
        values: [n] places i of the pairs (i // p, i mod p), [p²] a mask over these places, or
            [n, 2] pairs.
        kind: the form of `values`.
    """

    values: NDArray[Any]
    kind: Literal["places", "mask", "pairs"]

    def places(self, base: int) -> NDArray[np.int64]:
        """[n], the places of the pairs.

        Raises:
            ValueError: a place is outside 0 … p² − 1 or repeated, or there is no place, or all.
        """
        if self.kind == "mask":
            if self.values.size != base**2:
                raise ValueError(
                    f"train_indices is a mask of {self.values.size} inputs: expected p² = {base**2}"
                )
            found = np.flatnonzero(self.values)
        elif self.kind == "pairs":
            a, b = self.values.T.astype(np.int64)
            if min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= base:
                raise ValueError(
                    f"the training pairs have digits from {min(a.min(), b.min())} to "
                    f"{max(a.max(), b.max())}: expected 0 … p − 1 = {base - 1}"
                )
            found = a * base + b
        else:
            found = self.values.astype(np.int64)
        if not len(found):
            raise ValueError("train_indices has no input: expected at least one that trained")
        unique = len(np.unique(found)) == len(found)
        if found.min() < 0 or found.max() >= base**2 or not unique:
            raise ValueError(
                f"train_indices has {len(found)} entries from {found.min()} to {found.max()}: "
                f"expected each of 0 … p² − 1 = {base**2 - 1} at most once"
            )
        if len(found) == base**2:
            raise ValueError("train_indices has every input: none is left to validate on")
        return found


def read_training_pairs(content: Mapping[str, Any]) -> tuple[TrainingPairs | None, list[str]]:
    """The training inputs in a file, and a note for each entry that was not understood."""
    notes = []
    for key in _KEYS:
        given = content.get(key)
        if given is None:
            continue
        array = _array(given)
        if array is not None and (found := _understood(array)) is not None:
            return found, notes
        kind = "of another kind"
        if array is not None:
            kind = f"{array.dtype} of {array.ndim} {'axis' if array.ndim == 1 else 'axes'}"
        notes.append(
            f"{key} is {kind}: expected whole numbers or a mask of p² inputs, so it was not used"
        )
    for key, given in content.items():
        if _PERHAPS.fullmatch(str(key).lower()) and _array(given) is not None:
            notes.append(
                f"{key} was not read: if it says which inputs trained, save it as {_KEYS[0]}, "
                "places i of (i // p, i mod p) or a mask of p² inputs"
            )
    return None, notes


def _array(given: Any) -> NDArray[Any] | None:
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str | bytes):
        return None
    try:
        array = np.asarray(given)
    except ValueError:
        return None
    return None if array.dtype == object else array


def _understood(array: NDArray[Any]) -> TrainingPairs | None:
    square = array.ndim == 2 and array.shape[0] == array.shape[1]
    if array.dtype == bool and (array.ndim == 1 or square):
        return TrainingPairs(array.ravel(), "mask")
    if array.dtype.kind not in "iu" or not array.size:
        return None
    if square and array.size > 9 and np.isin(array, (0, 1)).all():
        return TrainingPairs(array.ravel().astype(bool), "mask")
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim == 1:
        # Places do not repeat, so three or more zeros and ones are a mask.
        if array.size > 2 and np.isin(array, (0, 1)).all():
            return TrainingPairs(array.astype(bool), "mask")
        return TrainingPairs(array, "places")
    # Pairs, or triples with the token "=" last.
    if array.ndim == 2 and array.shape[1] in (2, 3) and array.shape[0] > 3:
        return TrainingPairs(array[:, :2], "pairs")
    return None
