"""When each task's power appears in the model: its share of variance at every snapshot (C17, C18).

    stack_power(measure_each(run.snapshots, lambda weights: model_power(weights, run.dataset)))

Power is the share of what needs both digits (all neurons' interactions together) that lies on a
task's harmonics. Some of it need not be a circuit: neurons that remember the labels of the numbers
trained on are functions of n mod q on these. So beside it stands the carried power: what the means
over the residue classes, taken over the numbers trained on, explain of all the other numbers. It is
the whole power for functions of n mod q and 0 for what was memorised. Its null is the same with the
values of x0 and of x1 renamed at random, which keeps everything but the order of the digits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, chosen_numbers
from miiii.analysis.circuits.attribution import Attribution, attribute
from miiii.analysis.dynamics.gini import gini
from miiii.analysis.harmonics.digit_split import share_of, split_digits
from miiii.analysis.harmonics.task_harmonics import FloatArray, residue_sums
from miiii.analysis.permuting import permutations
from miiii.analysis.recording import record
from miiii.model.parameters import Parameters
from miiii.streams import Stream, generator
from miiii.tasks.dataset import Dataset

DRAWS = 20
"""Renamings: without structure a task's power is above all of them once in 21 times."""

_MIXTURES = 32
"""Functions that stand for all of them under renaming."""


@dataclass(frozen=True)
class Power:
    """What the functions of one model (all neurons, say) are made of, and a null."""

    attribution: Attribution
    carried: FloatArray
    """[N]: carried power; NaN where nothing needs both digits."""
    null: FloatArray
    """[R, N]: the same after each renaming of the digits."""


@dataclass(frozen=True)
class PowerThroughTraining:
    """Shares of the variance of M functions together (all neurons, say) at S snapshots.

    NaN where no function varies.
    """

    moduli: tuple[int, ...]
    """[N]."""
    epochs: NDArray[np.int64]
    """[S], ascending."""
    variance: FloatArray
    """[S]: summed over the functions."""
    task: FloatArray
    """[S, N]: share on each task's harmonics."""
    beyond: FloatArray
    """[S, N]: share that they add to the two digits alone."""
    beyond_chance: FloatArray
    """[N]: what `power` would be of functions without structure; 0 where q divides p, since there
    x0 alone tells n mod q."""
    carried: FloatArray
    """[S, N]: the part of `power` that the numbers trained on tell of the others: a covariance over
    the others, so it may fall below 0. Its mean without structure is 0."""
    null: FloatArray
    """[S, R, N]: `carried` after each renaming of the digits."""
    digit: FloatArray
    """[S, 2]: share of x0 alone and of x1 alone."""
    explained: FloatArray
    """[S]: share on all tasks' harmonics together."""
    explained_with_digits: FloatArray
    """[S]: share on them and the functions of one digit."""
    table_gini: FloatArray
    """[S, 3]: Gini coefficient of each function's powers on the tasks, per harmonic function of the
    task: first quartile, median, third quartile over the functions that need both digits. 0: all
    tasks alike; 1 − 1/N: one task alone."""

    @property
    def power(self) -> FloatArray:
        """[S, N]: `beyond` as a share of what needs both digits."""
        interaction = 1 - self.digit.sum(axis=1, keepdims=True)
        return share_of(self.beyond, np.where(interaction > 1e-12, interaction, 0))

    @property
    def threshold(self) -> FloatArray:
        """[S, N]: the largest carried power that any renaming reaches."""
        return self.null.max(axis=1)

    @property
    def relative(self) -> FloatArray:
        """[S, N]: `carried` / the largest it ever is, not below 0; NaN where there is none."""
        positive = np.maximum(self.carried, 0)
        return share_of(positive, np.nan_to_num(positive).max(axis=0))


def model_power(
    parameters: Parameters,
    dataset: Dataset,
    activation: str = "mlp_hidden",
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Power:
    """Measure one model: 4 s of one core at p = 113 and 1,024 neurons.

    Args:
        parameters: the weights.
        dataset: its moduli, and which numbers were trained on.
        activation: of `model.activations.NAMES`.
        draws: R, renamings of the digits.
        seed: of the renamings.

    Raises:
        ValueError: as in `attribution.attribute`; or draws is below 1.
    """
    values = record(parameters, activation)[activation]
    train = np.asarray(dataset.split.train)
    return power(values, parameters.base, dataset.moduli, train, draws=draws, seed=seed)


def power(
    values: ArrayLike,
    base: int,
    moduli: Sequence[int],
    train: ArrayLike,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Power:
    """`model_power` of any functions of n.

    Above 32 functions, random mixtures of them are renamed in their place. A mixture's expected
    power on any subspace is that of all functions together, so the null is neither raised nor
    lowered, only spread a little wider.

    Args:
        values: [p², M].
        base: p.
        moduli: of the tasks.
        train: the numbers trained on, at least one and not all.
        draws: R, renamings, each the same for all functions.
        seed: of renamings and mixtures.

    Raises:
        ValueError: as in `attribution.attribute`; draws is below 1; or train leaves no number.
    """
    at_least("draws", draws, 1)
    attribution = attribute(values, base, moduli)
    trained = np.zeros(base**2, bool)
    trained[chosen_numbers(train, base**2)] = True
    if trained.all():
        raise ValueError(f"train has all {base**2} numbers: expected some that were not trained on")
    # Where q divides p, one digit tells n mod q, and there is nothing beyond it to carry.
    possible = attribution.beyond_chance > 0
    split = split_digits(values, base)
    functions = split.interaction[:, ~split.additive]
    carried = np.where(possible, _carried(functions, trained, moduli), 0)
    if functions.shape[1] > _MIXTURES:
        drawn = generator(Stream.POWER_MIXTURES, seed)
        functions = functions @ drawn.normal(size=(functions.shape[1], _MIXTURES))
    null = [
        np.where(possible, _carried(functions[order], trained, moduli), 0)
        for order in permutations(base, draws, seed)
    ]
    return Power(attribution, carried, np.stack(null))


def stack_power(measured: Iterable[tuple[int, Power]]) -> PowerThroughTraining:
    """Stack the powers of snapshots.

    Args:
        measured: (epoch, power), ascending, as from `through_training.measure_each`.

    Raises:
        ValueError: there are none, epochs do not ascend, or they are of different tasks or numbers
            of renamings.
    """
    pairs = list(measured)
    if not pairs:
        raise ValueError("no powers to stack: expected at least one snapshot, found 0")
    epochs = np.array([epoch for epoch, _ in pairs], np.int64)
    if (np.diff(epochs) <= 0).any():
        raise ValueError(f"epochs must ascend: found {epochs.tolist()}")
    found = [each.attribution for _, each in pairs]
    if len({(each.base, each.moduli) for each in found}) > 1:
        raise ValueError("powers must be of one base and the same tasks")
    if len({each.null.shape for _, each in pairs}) > 1:
        raise ValueError("powers must have one number of renamings")

    def stacked(name: str) -> FloatArray:
        return np.stack([each.total_share(getattr(each, name)) for each in found])

    return PowerThroughTraining(
        moduli=found[0].moduli,
        epochs=epochs,
        variance=np.array([each.variance.sum() for each in found]),
        task=stacked("task"),
        beyond=stacked("beyond"),
        beyond_chance=found[0].beyond_chance,
        carried=np.stack([each.carried for _, each in pairs]),
        null=np.stack([each.null for _, each in pairs]),
        digit=stacked("digit"),
        explained=stacked("explained"),
        explained_with_digits=stacked("explained_with_digits"),
        table_gini=np.stack([_table_gini(each) for each in found]),
    )


def _carried(
    functions: FloatArray, trained: NDArray[np.bool_], moduli: Sequence[int]
) -> FloatArray:
    """[N]: see the module; of functions [p², M], which numbers [p²] were trained on.

    A covariance over the other numbers, as a share of the variance over all numbers.
    """
    total = (functions**2).sum() / len(functions)
    if not total > 0:
        return np.full(len(moduli), np.nan)
    known = np.where(trained[:, None], functions, 0)
    others = functions - known
    numbers = np.arange(len(functions))
    shares = np.empty(len(moduli))
    for index, modulus in enumerate(moduli):
        counts = np.bincount(numbers[trained] % modulus, minlength=modulus)
        sums = residue_sums(known, modulus)
        # A class without a trained number is not known to differ from the mean.
        means = sums / np.maximum(counts, 1)[:, None] - np.where(
            counts[:, None] > 0, sums.sum(axis=0) / counts.sum(), 0
        )
        shares[index] = (means * residue_sums(others, modulus)).sum()
    return shares / (len(functions) - trained.sum()) / total


def _table_gini(attribution: Attribution) -> FloatArray:
    """[3]: quartiles over the functions; NaN where none needs both digits."""
    usable = attribution.beyond_chance > 0
    table = attribution.beyond_interaction[:, usable] / attribution.beyond_chance[usable]
    table = table[~np.isnan(table).any(axis=1)]
    if not table.size:
        return np.full(3, np.nan)
    return np.quantile(gini(np.maximum(table, 0)), (0.25, 0.5, 0.75))
