"""Reconstruct the split of a published model as its authors drew it.

The code of Nanda et al. 2023 lists all pairs (a, b) sorted by a and then b, shuffles them with
Python's `random` after `random.seed(seed)`, and trains on the first share. If a file does not give
seed and share, the last losses in it identify them: of a fixed set of candidates only one gives
these losses.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEEDS = tuple(range(12))
SHARES = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.28, 0.25, 0.2)
"""Candidate shares: those of the published models."""

MATCH = math.log(1.1)
"""Losses match within a tenth. They are not equal, because the file's weights come one update after
its last losses."""
APART = math.log(1.5)
"""Least error of the best candidate with another seed, so that the choice is unique."""


@dataclass(frozen=True)
class Candidate:
    """A seed and a share, and their fit to the file's last losses.

    Attributes:
        seed: seed of the shuffle.
        share: share of the pairs that train.
        train: mean loss on the pairs that train, in nats.
        test: mean loss on the other pairs, in nats.
        error: larger |ln(loss / the file's last loss)| of both; NaN if the file has no losses.
    """

    seed: int
    share: float
    train: float
    test: float
    error: float


@dataclass(frozen=True)
class DrawnSplit:
    """A reconstructed split.

    Attributes:
        chosen: its seed and share.
        how: "found by its losses", or "told by its settings" with an addition about its losses.
        runner_up: the second best candidate; None if the settings give the split.
        other_seed: the best candidate with another seed; None if the settings give the split.
        tried: number of candidates.
        seeds: the candidates' seeds.
        shares: the candidates' shares.
    """

    chosen: Candidate
    how: str
    runner_up: Candidate | None = None
    other_seed: Candidate | None = None
    tried: int = 1
    seeds: tuple[int, ...] = SEEDS
    shares: tuple[float, ...] = SHARES

    def record(self, last: tuple[float | None, float | None]) -> dict[str, Any]:
        """The record for the run's provenance.

        Args:
            last: the file's last training and test loss, in nats.
        """
        found: dict[str, Any] = {"how": self.how, **_plain(self.chosen)}
        found["file"] = {"train_loss": last[0], "test_loss": last[1]}
        if self.tried > 1:
            found["candidates"] = {
                "seeds": list(self.seeds),
                "shares": list(self.shares),
                "tried": self.tried,
                "drawn": "all pairs, a first, random.seed(seed), random.shuffle, the first share",
            }
            found["runner_up"] = None if self.runner_up is None else _plain(self.runner_up)
            found["best_of_other_seeds"] = (
                None if self.other_seed is None else _plain(self.other_seed)
            )
        return found


def _plain(candidate: Candidate) -> dict[str, Any]:
    return {
        "seed": candidate.seed,
        "share": candidate.share,
        "train_loss": candidate.train,
        "test_loss": candidate.test,
        "factor_off": None if math.isnan(candidate.error) else math.exp(candidate.error),
    }


def shuffled_places(base: int, seed: int) -> NDArray[np.int64]:
    """[p²]: the places i = p·a + b of all pairs in the shuffled order."""
    places = list(range(base**2))
    random.Random(seed).shuffle(places)
    return np.array(places)


def training_places(base: int, seed: int, share: float) -> NDArray[np.int64]:
    """The places of the pairs that a seed and a share train on."""
    order = shuffled_places(base, seed)
    return order[: int(share * len(order))]


def find_split(
    pair_losses: NDArray[np.float64],
    last: tuple[float | None, float | None],
    stated: tuple[int | None, float | None],
    also: tuple[int, float] = (0, 0.3),
) -> DrawnSplit | None:
    """Draw the split that a file's settings give or that its losses identify.

    Args:
        pair_losses: [p²], the model's loss on every pair, in nats, at place p·a + b.
        last: the file's last training and test loss; None if it has none.
        stated: seed and share in its settings; None if it has none.
        also: a further seed and share to try.

    Returns:
        None if the settings give no split and the losses identify none.
    """
    base = math.isqrt(len(pair_losses))
    seed, share = stated
    known = (
        _weighed(pair_losses, shuffled_places(base, seed), seed, share, last)
        if seed is not None and share is not None
        else None
    )
    if known is not None and not known.error > MATCH:
        checked = "" if math.isnan(known.error) else " and checked by its losses"
        return DrawnSplit(known, f"told by its settings{checked}")
    if last == (None, None):
        return None
    candidates = sorted(_candidates(pair_losses, base, last, also), key=lambda one: one.error)
    best = candidates[0]
    other = next(one for one in candidates if one.seed != best.seed)
    if best.error > MATCH or other.error < max(APART, 2 * best.error):
        if known is None:
            return None
        return DrawnSplit(known, "told by its settings; its losses do not agree")
    seeds = tuple(sorted({one.seed for one in candidates}))
    shares = tuple(sorted({one.share for one in candidates}, reverse=True))
    return DrawnSplit(
        best, "found by its losses", candidates[1], other, len(candidates), seeds, shares
    )


def _candidates(
    pair_losses: NDArray[np.float64],
    base: int,
    last: tuple[float | None, float | None],
    also: tuple[int, float],
) -> Iterator[Candidate]:
    for seed in sorted({*SEEDS, also[0]}):
        order = shuffled_places(base, seed)
        for share in sorted({*SHARES, also[1]}):
            found = _weighed(pair_losses, order, seed, share, last)
            if found is not None:
                yield found


def _weighed(
    pair_losses: NDArray[np.float64],
    order: NDArray[np.int64],
    seed: int,
    share: float,
    last: tuple[float | None, float | None],
) -> Candidate | None:
    """The candidate with its losses; None if no pair is left to train or to test on."""
    cut = int(share * len(order))
    if not 0 < cut < len(order):
        return None
    train, test = float(pair_losses[order[:cut]].mean()), float(pair_losses[order[cut:]].mean())
    errors = [
        abs(math.log(mean / given)) if mean > 0 and given > 0 else math.inf
        for mean, given in zip((train, test), last, strict=True)
        if given is not None
    ]
    return Candidate(seed, share, train, test, max(errors, default=math.nan))
