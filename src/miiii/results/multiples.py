"""The numbers that a model predicts to be multiples, and the test of primality by them."""

import numpy as np
from numpy.typing import NDArray

from miiii.claims.measurements import Multiples, Passing, Primality
from miiii.experiment.run import Run
from miiii.tasks.primes import primes_below


def primality(run: Run, logits: NDArray[np.floating]) -> Primality | None:
    """All tasks together as a test of primality; None unless they are the primes below p."""
    task = run.config.task
    if task.task != "miiii" or set(run.dataset.moduli) != set(primes_below(task.base)):
        return None
    passes = np.logical_not(taken_for_multiples(run, logits).any(axis=1))
    held_out = _held_out(run)
    return Primality(
        passing(passes, np.ones_like(held_out), task.base), passing(passes, held_out, task.base)
    )


def multiples(run: Run, logits: NDArray[np.floating]) -> Multiples | None:
    """Accuracy on multiples and on other numbers outside training; None unless T_miiii."""
    if run.config.task.task != "miiii":
        return None
    taken = taken_for_multiples(run, logits)[_held_out(run)]
    numbers = np.arange(len(logits))[_held_out(run), None]
    divides = numbers % np.asarray(run.dataset.moduli) == 0

    def share(hits: NDArray[np.bool_], among: NDArray[np.bool_]) -> tuple[float, ...]:
        counts = among.sum(axis=0)
        shares = np.where(counts, (hits & among).sum(axis=0) / np.maximum(counts, 1), np.nan)
        return tuple(map(float, shares))

    return Multiples(found=share(taken, divides), spared=share(~taken, ~divides))


def taken_for_multiples(run: Run, logits: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each number is predicted to be a multiple of each modulus: [p², N].

    Args:
        run: of T_miiii, on remainders or on divisibility.
        logits: [p², V].
    """
    zero_class = 0 if run.config.task.target == "remainder" else 1
    tasks = np.split(logits, np.cumsum(run.dataset.class_sizes)[:-1], axis=1)
    return np.stack([task.argmax(axis=1) == zero_class for task in tasks], axis=1)


def _held_out(run: Run) -> NDArray[np.bool_]:
    """[p²]: the numbers that were not trained on."""
    held_out = np.ones(run.config.task.base**2, bool)
    held_out[run.dataset.split.train] = False
    return held_out


def passing(passes: NDArray[np.bool_], among: NDArray[np.bool_], base: int) -> Passing:
    """Count primes and composites that pass.

    Args:
        passes: [p²], whether no predicted remainder is 0.
        among: [p²], the numbers to count; 0 and 1 are left out.
        base: p.
    """
    numbers = np.arange(base**2)
    prime = np.zeros(base**2, bool)
    prime[list(primes_below(base**2))] = True
    counted = among & (numbers > 1)
    small, large = counted & prime & (numbers < base), counted & prime & (numbers >= base)
    composite = counted & ~prime
    return Passing(
        *(int(group.sum()) for kind in (small, large, composite) for group in (kind, kind & passes))
    )
