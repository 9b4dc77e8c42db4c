"""Taking turns: what is compared is timed in rounds, so that a loaded machine is unfair to all."""

import time
from collections.abc import Callable, Mapping

import jax


def take_turns(
    contestants: Mapping[str, tuple[Callable[[], object], int]], rounds: int
) -> dict[str, list[float]]:
    """Seconds per repetition of each contestant in each round.

    Args:
        contestants: per name a call, and how many repetitions one call makes.
        rounds: how often everyone has a turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for call, _ in contestants.values():
        jax.block_until_ready(call())
    for _ in range(rounds):
        for name, (call, repetitions) in contestants.items():
            began = time.perf_counter()
            jax.block_until_ready(call())
            seconds[name].append((time.perf_counter() - began) / repetitions)
    return seconds


def ratio(seconds: Mapping[str, list[float]], one: str, other: str) -> tuple[float, float]:
    """How much longer one takes than the other: of the best rounds, and the median of rounds."""
    pairs = sorted(a / b for a, b in zip(seconds[one], seconds[other], strict=True))
    return min(seconds[one]) / min(seconds[other]), pairs[len(pairs) // 2]
