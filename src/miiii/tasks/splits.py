"""Which numbers train, validate and test: drawn, drawn in mirrored pairs, or given."""

from __future__ import annotations

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
"""Splits that the process has been given, by their text."""


def keep_split(parts: Mapping[str, NDArray[np.integer]]) -> str:
    """Keep a split for this process; returns the text that stands for it in a configuration.

    The text has the three sizes and a digest: `given:TRAIN:VALIDATION:TEST:DIGEST`.

    Args:
        parts: train, validation and test, each ascending.
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
        ValueError: nobody has brought it into this process.
    """
    if text not in _KEPT:
        raise ValueError(
            f"the split {text!r} is not here: make the configuration with miiii.with_split, or "
            "give the config.toml of a run that has it beside it (split.npz)"
        )
    return _KEPT[text]


def draw_split(
    numbers: Numbers, train: int, validation: int, generator: np.random.Generator
) -> Split:
    """Cut a random order of some numbers into three."""
    order = numbers[generator.permutation(len(numbers))].astype(np.int32)
    cuts = np.split(order, [train, train + validation])
    return Split(*(np.sort(part) for part in cuts))


def draw_pairs(
    numbers: Numbers, base: int, train: int, validation: int, generator: np.random.Generator
) -> Split:
    """The same with x0 + p·x1 and x1 + p·x0 always in one part.

    Raises:
        ValueError: one of two mirrored numbers is not among the numbers.
    """
    mirrored = mirror(numbers, base)
    if len(missing := np.setdiff1d(mirrored, numbers)):
        raise ValueError(
            f"the number {missing[0]} has no answer, but its mirror {mirror(missing, base)[0]} "
            "has: split is 'pairs' only where both have one"
        )
    singles = generator.permutation(numbers[numbers == mirrored])
    first = generator.permutation(numbers[numbers < mirrored])
    whole, parts, done = Share(len(singles), len(first)), [], Share(0, 0)
    for share in pair_shares(whole, train, validation):
        end = Share(done.singles + share.singles, done.pairs + share.pairs)
        pairs = first[done.pairs : end.pairs]
        own = [pairs, mirror(pairs, base), singles[done.singles : end.singles]]
        parts.append(np.sort(np.concatenate(own)).astype(np.int32))
        done = end
    return Split(*parts)


def mirror(numbers: NDArray[np.integer], base: int) -> NDArray[np.int64]:
    """The numbers with their two digits exchanged: x0 + p·x1 becomes x1 + p·x0."""
    wide = np.asarray(numbers, np.int64)
    return wide // base + base * (wide % base)
