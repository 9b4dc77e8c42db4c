"""Which numbers train, validate and test: drawn, drawn in mirrored pairs, or given."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWN, PAIRS = "drawn", "pairs"
PARTS = ("train", "validation", "test")
_GIVEN = re.compile(r"given:(\d+):(\d+):(\d+):([0-9a-f]{16})")

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


def given_sizes(text: str) -> tuple[int, int, int] | None:
    """The sizes of a given split by its text; None where it is no such text."""
    match = _GIVEN.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


class Share(NamedTuple):
    """How a part is made up when mirrored numbers stay together."""

    singles: int
    """Numbers with two equal digits."""
    pairs: int
    """Pairs of numbers with their digits exchanged."""

    @property
    def size(self) -> int:
        """Numbers."""
        return self.singles + 2 * self.pairs


def pair_shares(whole: Share, train: int, validation: int) -> tuple[Share, Share, Share]:
    """Train, validation and test of all numbers, as near to sizes as whole pairs allow.

    Numbers with equal digits go to each part in proportion, so that sizes follow from the settings
    and not from the seed.
    """
    shares, left = [], whole
    for size in (train, validation):
        share = _share(size, left)
        shares.append(share)
        left = Share(left.singles - share.singles, left.pairs - share.pairs)
    return shares[0], shares[1], left


def _share(size: int, left: Share) -> Share:
    low, high = max(0, size - 2 * left.pairs), min(left.singles, size)
    fitting = [count for count in range(low, high + 1) if (size - count) % 2 == 0]
    if not fitting:
        return _share(size - 1 if size > 1 else size + 1, left)
    wanted = size * left.singles / left.size
    singles = min(fitting, key=lambda count: abs(count - wanted))
    return Share(singles, (size - singles) // 2)


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
