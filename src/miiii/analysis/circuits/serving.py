"""The tasks that each neuron serves: shares of variance compared with renamed digits.

A neuron serves a task if the task's harmonics hold a larger share of its interaction (the part that
needs both digits) than by chance. Chance is the same neuron with the values of x0 and of x1 renamed
at random, which keeps everything but the order of the digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import share_of_one
from miiii.analysis.harmonics.digit_split import share_of, split_digits
from miiii.analysis.harmonics.interaction import BeyondDigits, beyond_digits
from miiii.analysis.harmonics.task_harmonics import FloatArray, as_columns, in_chunks
from miiii.analysis.permuting import permutations


@dataclass(frozen=True)
class ServedTasks:
    """The neuron × task table, and which of its shares are above chance."""

    moduli: tuple[int, ...]
    """[N]: the tasks."""
    level: float
    """Chance that a renamed neuron serves any task, over all tasks together."""
    share: FloatArray
    """[M, N]: share of the neuron's interaction on each task's harmonics; 0 where it has none."""
    threshold: FloatArray
    """[N]: the 1 − level / N quantile of the task's shares over all neurons and renamings."""
    null_serving: float
    """Share of renamed neurons that serve any task: at most about `level`."""
    served: NDArray[np.bool_]
    """[M, N]: share above threshold."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """[M]: how many tasks each neuron serves."""
        return self.served.sum(axis=1)

    @property
    def neurons_per_task(self) -> NDArray[np.int64]:
        """[N]: how many neurons serve each task."""
        return self.served.sum(axis=0)

    @property
    def neurons_by_count(self) -> NDArray[np.int64]:
        """[N + 1]: how many neurons serve 0, 1, …, N tasks."""
        return np.bincount(self.counts, minlength=len(self.moduli) + 1)


def served_tasks(
    values: ArrayLike,
    base: int,
    moduli: Sequence[int],
    *,
    level: float = 0.05,
    draws: int = 5,
    seed: int = 0,
) -> ServedTasks:
    """Find the tasks that each neuron (or any other function of n) serves.

    Args:
        values: [p², M], such as the neurons after the ReLU.
        base: p.
        moduli: of the tasks.
        level: chance that a renamed neuron serves any task, above 0 and at most 1.
        draws: renamings, each the same for all neurons.
        seed: of the renamings.

    Raises:
        ValueError: values or moduli as in `attribute`; or draws × neurons is too small to place a
            quantile of 1 − level / N.
    """
    array, _ = as_columns(values, base)
    share_of_one("level", level)
    beyond = beyond_digits(base, moduli)
    tasks = len(beyond.dictionary.tasks)
    orders = permutations(base, draws, seed)
    shares, drawn = [], []
    for chunk in in_chunks(array):
        split = split_digits(chunk, base)
        interaction = np.where(split.additive, 0, split.interaction)
        shares.append(_shares(beyond, interaction))
        drawn.append(np.stack([_shares(beyond, interaction[order]) for order in orders]))
    share, null = np.concatenate(shares), np.concatenate(drawn, axis=1)
    interacting = ~np.isnan(share[:, 0])
    null = null[:, interacting].reshape(-1, tasks)
    if len(null) * level < tasks:
        raise ValueError(
            f"draws is {draws}: with {int(interacting.sum())} neurons that use both digits there "
            f"are {len(null)} renamed neurons, but a level of {level} over {tasks} tasks takes at "
            f"least {int(np.ceil(tasks / level))}"
        )
    threshold = np.quantile(null, 1 - level / tasks, axis=0, method="higher")
    share = np.nan_to_num(share)
    return ServedTasks(
        moduli=beyond.dictionary.moduli,
        level=float(level),
        share=share,
        threshold=threshold,
        null_serving=float((null > threshold).any(axis=1).mean()),
        served=share > threshold,
    )


def _shares(beyond: BeyondDigits, interaction: FloatArray) -> FloatArray:
    """[M, N]: each task's share of the interaction; NaN where there is none."""
    power = beyond.task_power(beyond.dictionary.coefficients(interaction))
    return share_of(power, (interaction**2).sum(axis=0)).T
