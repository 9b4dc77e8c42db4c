"""How many numbers each part of a split has, from the settings only.

This file does without NumPy, whose import takes longer than the rest of `miiii train --help`.
"""

import re
from typing import NamedTuple

DRAWN, PAIRS = "drawn", "pairs"
_GIVEN = re.compile(r"given:(\d+):(\d+):(\d+):([0-9a-f]{16})")


def given_sizes(text: str) -> tuple[int, int, int] | None:
    """The three sizes in a given split's text (`splits.keep_split`); None for another text."""
    match = _GIVEN.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


class Share(NamedTuple):
    """The composition of a part in which mirrored numbers stay together."""

    singles: int
    """Numbers with two equal digits."""
    pairs: int
    """Pairs of numbers with their digits exchanged."""

    @property
    def size(self) -> int:
        """How many numbers the part has."""
        return self.singles + 2 * self.pairs


def pair_shares(whole: Share, train: int, validation: int) -> tuple[Share, Share, Share]:
    """Train, validation and test of all numbers, as near to the sizes as whole pairs allow.

    Numbers with equal digits go to each part in proportion, so that sizes do not depend on the
    seed.
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
