"""Each task's power in the model at every snapshot: its share of the variance (C17, C18).

    stack_power(measure_each(run.snapshots, lambda weights: model_power(weights, run.dataset)))

Power is the share of all neurons' interactions (the parts that need both digits) on a task's
harmonics. It need not come from a circuit: neurons that memorise the labels of the training numbers
are functions of n mod q on these. The carried power leaves memorising out. It takes the means over
the residue classes from the training numbers, and is what they explain of all other numbers: the
whole power for functions of n mod q, and 0 for memorised labels. Its null renames the values of x0
and of x1 at random, which keeps everything but the order of the digits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, chosen_numbers
from miiii.analysis.circuits.attribution import Attribution, attribute
from miiii.analysis.dynamics.gini import gini
from miiii.analysis.dynamics.snapshots import in_order
from miiii.analysis.harmonics.digit_split import share_of, split_digits
from miiii.analysis.harmonics.task_harmonics import FloatArray, residue_sums
from miiii.analysis.permuting import permutations
from miiii.analysis.recording import record
from miiii.model.parameters import Parameters
from miiii.streams import Stream, generator
from miiii.tasks.dataset import Dataset

DRAWS = 20
"""Renamings: without structure a task's power is above all of them with probability 1 / 21."""

_MIXTURES = 32
"""Random mixtures that represent all functions under renaming."""


@dataclass(frozen=True)
class Power:
    """The attribution of one model's functions (all neurons, say), and their carried power."""

    attribution: Attribution
    carried: FloatArray
    """[N]: carried power; NaN where no function has an interaction."""
    null: FloatArray
    """[R, N]: carried power after each renaming of the digits."""


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
    """[S, N]: share on each task's interaction functions."""
    beyond_chance: FloatArray
    """[N]: expected `power` of functions without structure; 0 where q divides p, since n mod q then
    depends on x0 only."""
    carried: FloatArray
    """[S, N]: carried power, see the module. It is a covariance over the numbers not trained on, so
    it may be below 0; its mean without structure is 0."""
    null: FloatArray
    """[S, R, N]: `carried` after each renaming of the digits."""
    digit: FloatArray
    """[S, 2]: share on the functions of x0, and of x1."""
    explained: FloatArray
    """[S]: share on all tasks' harmonics together."""
    explained_with_digits: FloatArray
    """[S]: share on them and the functions of one digit."""
    table_gini: FloatArray
    """[S, 3]: Gini coefficient of each function's powers on the tasks, relative to chance: first
    quartile, median, third quartile over the functions with an interaction. 0: all tasks equal;
    1 − 1/N: only one task."""

    @property
    def power(self) -> FloatArray:
        """[S, N]: `beyond` as a share of the interactions."""
        interaction = 1 - self.digit.sum(axis=1, keepdims=True)
        return share_of(self.beyond, np.where(interaction > 1e-12, interaction, 0))

    @property
    def threshold(self) -> FloatArray:
        """[S, N]: the largest carried power that any renaming reaches."""
        return self.null.max(axis=1)

    @property
    def relative(self) -> FloatArray:
        """[S, N]: max(`carried`, 0) / its largest over the snapshots; NaN where that is 0."""
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
        dataset: moduli and training numbers.
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

    Of more than 32 functions, 32 random mixtures are renamed instead. A mixture's expected power on
    any subspace is that of all functions together, so the null's mean does not change; its spread
    is a little wider.

    Args:
        values: [p², M].
        base: p.
        moduli: of the tasks.
        train: the training numbers, at least one and not all.
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
    # Where q divides p, n mod q is a function of x0, and there is no interaction to carry.
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
        measured: (epoch, power), ascending, as from `snapshots.measure_each`.

    Raises:
        ValueError: there are none, epochs do not ascend, or they are of different tasks or numbers
            of renamings.
    """
    epochs, powers = in_order(measured, "powers")
    found = [each.attribution for each in powers]
    if len({(each.base, each.moduli) for each in found}) > 1:
        raise ValueError("powers must be of one base and the same tasks")
    if len({each.null.shape for each in powers}) > 1:
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
        carried=np.stack([each.carried for each in powers]),
        null=np.stack([each.null for each in powers]),
        digit=stacked("digit"),
        explained=stacked("explained"),
        explained_with_digits=stacked("explained_with_digits"),
        table_gini=np.stack([_table_gini(each) for each in found]),
    )


def _carried(
    functions: FloatArray, trained: NDArray[np.bool_], moduli: Sequence[int]
) -> FloatArray:
    """[N]: carried power of functions [p², M], `trained` [p²] marking the training numbers.

    The covariance, over the other numbers, of the functions and the class means of the training
    numbers, as a share of the variance over all numbers.
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
        # The mean of a class without training numbers is taken to be the overall mean.
        means = sums / np.maximum(counts, 1)[:, None] - np.where(
            counts[:, None] > 0, sums.sum(axis=0) / counts.sum(), 0
        )
        shares[index] = (means * residue_sums(others, modulus)).sum()
    return shares / (len(functions) - trained.sum()) / total


def _table_gini(attribution: Attribution) -> FloatArray:
    """[3]: quartiles over the functions; NaN where none has an interaction."""
    usable = attribution.beyond_chance > 0
    table = attribution.beyond_interaction[:, usable] / attribution.beyond_chance[usable]
    table = table[~np.isnan(table).any(axis=1)]
    if not table.size:
        return np.full(3, np.nan)
    return np.quantile(gini(np.maximum(table, 0)), (0.25, 0.5, 0.75))
