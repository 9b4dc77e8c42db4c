"""NumPy's random number generators, one stream per use, so that no two uses share numbers.

NumPy pads a seed with zeros: `default_rng([seed, 0])`, which draws the split, equals
`default_rng(seed)` bit for bit (numpy 2.4.6). A sample of the numbers drawn from the bare seed
would therefore be a sample of the training numbers. Every generator of this package is made here,
but for two that stored runs and sweeps depend on: `optim.chosen_frequencies.random_directions`, and
the points of sweeps made before this module existed.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """The use of a stream. Values never change: stored runs and their controls depend on them."""

    SPLIT = 0
    SHUFFLED_LABELS = 1
    IMPORTED_SPLIT = 2
    SEARCH_POINTS = 3
    SEARCH_CHOICES = 4
    SEARCH_IMPORTANCE = 5
    PERMUTED_DOMAIN = 6
    POWER_MIXTURES = 7
    MATCHED_NEURONS = 8
    CIRCUIT_CONTROLS = 9
    HEAD_CONTROLS = 10
    EMBEDDING_CONTROLS = 11
    RESAMPLED_TASKS = 12
    SCORED_NUMBERS = 13
    RANDOM_SUBSPACE = 14
    RENAMED_DIGITS = 15
    EMBEDDING_NULL = 16
    SINGULAR_NULL = 17
    FEW_FREQUENCIES_NULL = 18
    GRADIENT_TRIPLES = 19
    PERMUTED_GROUPS = 20
    PERMUTED_RANKS = 21


# Stored runs were drawn from these two before the others had streams of their own.
_OF_RUNS = (Stream.SPLIT, Stream.SHUFFLED_LABELS)


def sequence(stream: Stream, seed: int, index: int | None = None) -> np.random.SeedSequence:
    """The seed sequence of a stream's generator.

    NumPy appends a spawn key after padding the seed to four words of 32 bits. The two streams of
    runs have two words and no spawn key, so that no other stream repeats one of them.

    Args:
        stream: the use.
        seed: from 0 to 2³² − 1.
        index: the member of a numbered family, such as a trial of a sweep; None: no family.

    Raises:
        ValueError: the seed is out of its limits.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}: it must be from 0 to 2³² − 1")
    if stream in _OF_RUNS:
        return np.random.SeedSequence([seed, int(stream)])
    key = (int(stream),) if index is None else (int(stream), index)
    return np.random.SeedSequence(seed, spawn_key=key)


def generator(stream: Stream, seed: int = 0) -> np.random.Generator:
    """The generator of a stream; equal seeds give equal draws.

    Raises:
        ValueError: the seed is out of its limits.
    """
    return np.random.default_rng(sequence(stream, seed))
