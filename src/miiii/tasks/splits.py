"""Which numbers train, validate and test: drawn, drawn in mirrored pairs, or given."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from miiii.tasks.split_sizes import Share, pair_shares

PARTS = ("train", "validation", "test")

Numbers = NDArray[np.int32]


@dataclass(frozen=True)
class Split:
    """Index arrays into the canonical order n = 0 … p² − 1, each ascending, disjoint."""

    train: Numbers
    validation: Numbers
    test: Numbers


_KEPT: dict[str, Split] = {}
"""Given splits that this process has read, by their text."""


def keep_split(parts: Mapping[str, NDArray[np.integer]]) -> str:
    """Keep a split for this process; returns the text by which a configuration names it.

    The text has the three sizes and a digest: `given:TRAIN:VALIDATION:TEST:DIGEST`.

    Args:
        parts: the arrays train, validation and test, each ascending.
    """
    arrays = [np.ascontiguousarray(parts[name], np.int32) for name in PARTS]
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} ".encode() + array.tobytes())
        array.setflags(write=False)
    text = ":".join(["given", *(str(len(array)) for array in arrays), digest.hexdigest()[:16]])
    _KEPT[text] = Split(*arrays)
    return text


def kept_split(text: str) -> Split:
    """The split that a text stands for.

    Raises:
        ValueError: this process has not read it.
    """
    if text not in _KEPT:
        raise ValueError(
            f"the split {text!r} is not here: make the configuration with miiii.with_split, or "
            "give a run's config.toml that has its split.npz beside it"
        )
    return _KEPT[text]


def draw_split(
    numbers: Numbers, train: int, validation: int, generator: np.random.Generator
) -> Split:
    """Put the numbers into a random order and cut it into three parts."""
    order = numbers[generator.permutation(len(numbers))].astype(np.int32)
    cuts = np.split(order, [train, train + validation])
    return Split(*(np.sort(part) for part in cuts))


def draw_pairs(
    numbers: Numbers, base: int, train: int, validation: int, generator: np.random.Generator
) -> Split:
    """As `draw_split`, with x0 + p·x1 and x1 + p·x0 always in one part.

    Raises:
        ValueError: a number's mirror is missing.
    """
    mirrored = mirror(numbers, base)
    if len(missing := np.setdiff1d(mirrored, numbers)):
        raise ValueError(
            f"the number {missing[0]} has no answer, but its mirror {mirror(missing, base)[0]} "
            "has: split is 'pairs' only where both have one"
        )
    singles = generator.permutation(numbers[numbers == mirrored])
    first = generator.permutation(numbers[numbers < mirrored])
    parts = []
    for share in pair_shares(Share(len(singles), len(first)), train, validation):
        pairs, first = np.split(first, [share.pairs])
        equal, singles = np.split(singles, [share.singles])
        part = np.concatenate([pairs, mirror(pairs, base), equal])
        parts.append(np.sort(part).astype(np.int32))
    return Split(*parts)


def mirror(numbers: NDArray[np.integer], base: int) -> NDArray[np.int64]:
    """The numbers with their two digits exchanged: x0 + p·x1 becomes x1 + p·x0."""
    wide = np.asarray(numbers, np.int64)
    return wide // base + base * (wide % base)
