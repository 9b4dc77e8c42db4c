"""What each task loses when another one's circuit is taken away: the N × N causal matrix.

Two ways of taking task i's circuit out of the last block's MLP, each beside controls of the same
size, and each with its opposite, keeping nothing else:

- harmonics: task i's functions of n are removed from all neurons. Because everything after the MLP
  is linear, this removes task i's harmonics from what the MLP adds to each task's logits, so it
  asks whether tasks read each other's harmonics. It cannot tell whether neurons are shared: a task
  that is solved has logits that are functions of its own n mod q, with next to nothing on another's
  harmonics, whichever neurons made them. Control: random subspaces of the same dimension.
- neurons: the neurons attributed to task i are fixed at their mean. This asks whether tasks use the
  same neurons. Control: as many random neurons, of all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, chosen_numbers
from miiii.analysis.circuits.matching import MatchedNeurons, match_neurons
from miiii.analysis.circuits.removal import LowRank, Readout, readout, score_without
from miiii.analysis.circuits.subspaces import random_subspace
from miiii.analysis.harmonics.dictionary import harmonic_dictionary
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.analysis.recording import record
from miiii.analysis.scoring import TaskScores
from miiii.model.parameters import Parameters
from miiii.streams import Stream, generator
from miiii.tasks.dataset import Dataset

Removed = Literal["harmonics", "neurons", "embedding"]


@dataclass(frozen=True)
class CausalMatrix:
    """Scores of every task without, and with nothing but, each task's circuit.

    Losses are in units of guessing (1), accuracies 0 to 1. In every matrix the row is the task
    whose circuit is removed or kept, the column the task that is measured. R control draws.
    """

    removed: Removed
    """What a circuit is here."""
    moduli: tuple[int, ...]
    """[N]."""
    sizes: NDArray[np.int64]
    """[N]: functions, neurons or frequencies that were removed."""
    numbers: int
    """How many numbers were scored."""
    base: TaskScores
    """[N]: of the whole model."""
    without: TaskScores
    """[N, N]: without each circuit."""
    kept: TaskScores | None
    """[N, N]: with each circuit alone, the rest of the MLP at its mean; None where it was not
    measured."""
    control: TaskScores
    """[R, N, N]: without as much, chosen at random."""


def harmonic_removal(
    parameters: Parameters,
    dataset: Dataset,
    *,
    draws: int = 10,
    seed: int = 0,
    numbers: ArrayLike | None = None,
) -> CausalMatrix:
    """Remove each task's harmonics from the MLP's hidden activations.

    Args:
        parameters: the weights.
        dataset: moduli and targets. The targets must be about n mod q to make sense of it.
        draws: R, random subspaces; within a draw those of smaller tasks lie in those of larger.
        seed: of the controls.
        numbers: which to score; default: all p². Removal is always over all of them.

    Raises:
        ValueError: an activation is not finite, draws is below 1, a number or a modulus is outside,
            or the task has no classes.
    """
    return harmonic_removal_of(
        readout(parameters), dataset, draws=draws, seed=seed, numbers=numbers
    )


def harmonic_removal_of(
    model: Readout,
    dataset: Dataset,
    *,
    draws: int = 10,
    seed: int = 0,
    numbers: ArrayLike | None = None,
) -> CausalMatrix:
    """`harmonic_removal` from a hidden layer and its read-out, of a model of any kind."""
    contribution = model.contribution()
    tasks = harmonic_dictionary(model.base, dataset.moduli).tasks
    parts = [
        LowRank(task.functions(), task.coefficients(contribution), (task.dimension,))
        for task in tasks
    ]
    sizes = np.array([task.dimension for task in tasks])

    def control(generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        functions = random_subspace(model.base, int(sizes.max()), generator).functions
        return functions, functions.T @ contribution

    return _causal_matrix(
        "harmonics", model, contribution, dataset, parts, sizes, control, draws, seed, numbers
    )


def neuron_removal(
    parameters: Parameters,
    dataset: Dataset,
    groups: Sequence[ArrayLike] | None = None,
    *,
    draws: int = 10,
    seed: int = 0,
    numbers: ArrayLike | None = None,
) -> CausalMatrix:
    """Fix each task's neurons at their mean.

    Args:
        parameters: the weights.
        dataset: moduli and targets.
        groups: [N] neurons of each task, which may overlap or be none; default: those whose best
            matched pair of frequencies is the task's (`attributed_neurons`).
        draws: R, random groups of the same sizes. Within a draw smaller groups lie in larger ones.
        seed: of the controls.
        numbers: which to score; default: all p².

    Raises:
        ValueError: as in `harmonic_removal`, or groups are not one per task or name a neuron that
            does not exist.
    """
    if groups is None:
        groups = attributed_neurons(parameters, dataset.moduli).groups()
    return neuron_removal_of(
        readout(parameters), dataset, groups, draws=draws, seed=seed, numbers=numbers
    )


def neuron_removal_of(
    model: Readout,
    dataset: Dataset,
    groups: Sequence[ArrayLike],
    *,
    draws: int = 10,
    seed: int = 0,
    numbers: ArrayLike | None = None,
) -> CausalMatrix:
    """`neuron_removal` from a hidden layer and its read-out, of a model of any kind."""
    neurons = model.hidden.shape[1]
    chosen = [np.unique(np.asarray(group, np.int64)) for group in groups]
    if len(chosen) != len(dataset.moduli):
        raise ValueError(f"groups are {len(chosen)}: expected one per task, {len(dataset.moduli)}")
    for group in chosen:
        if group.size and not 0 <= group[0] <= group[-1] < neurons:
            raise ValueError(f"groups have a neuron outside: expected 0 to {neurons - 1}")
    parts = [
        LowRank(model.hidden[:, group], model.weights[group], (len(group),)) for group in chosen
    ]
    sizes = np.array([len(group) for group in chosen])

    def control(generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        order = generator.permutation(neurons)[: int(sizes.max())]
        return model.hidden[:, order], model.weights[order]

    return _causal_matrix(
        "neurons", model, model.contribution(), dataset, parts, sizes, control, draws, seed, numbers
    )


def attributed_neurons(
    parameters: Parameters, moduli: Sequence[int], *, draws: int = 20, seed: int = 0
) -> MatchedNeurons:
    """`match_neurons` of a model's neurons before the ReLU."""
    values = record(parameters, "mlp_pre")["mlp_pre"]
    return match_neurons(values, parameters.base, moduli, draws=draws, seed=seed)


def _causal_matrix(
    removed: Removed,
    model: Readout,
    contribution: FloatArray,
    dataset: Dataset,
    parts: list[LowRank],
    sizes: NDArray[np.int64],
    control: Callable[[np.random.Generator], tuple[FloatArray, FloatArray]],
    draws: int,
    seed: int,
    numbers: ArrayLike | None,
) -> CausalMatrix:
    at_least("draws", draws, 1)
    without = _stack(score_without(model.logits, parts, dataset, numbers))
    # A part of no components scores the logits as they are.
    nothing = LowRank(contribution[:, :0], model.weights[:0], (0,))
    base = score_without(model.logits, [nothing], dataset, numbers)[0]
    rest = model.logits - contribution.T
    added = [LowRank(part.functions, -part.weights, part.sizes) for part in parts]
    kept = _stack(score_without(rest, added, dataset, numbers))
    del rest
    # Ascending sizes, so that one draw serves all tasks.
    ascending, rows = np.unique(sizes, return_inverse=True)
    stages = tuple(int(size) for size in ascending)
    controls, drawn = generator(Stream.CIRCUIT_CONTROLS, seed), []
    for _ in range(draws):
        part = LowRank(*control(controls), stages)
        scores = score_without(model.logits, [part], dataset, numbers)[0]
        drawn.append(TaskScores(scores.loss[rows], scores.accuracy[rows]))
    return CausalMatrix(
        removed=removed,
        moduli=tuple(dataset.moduli),
        sizes=sizes,
        numbers=len(chosen_numbers(numbers, len(contribution))),
        base=TaskScores(base.loss[0], base.accuracy[0]),
        without=without,
        kept=kept,
        control=TaskScores(
            np.stack([each.loss for each in drawn]), np.stack([each.accuracy for each in drawn])
        ),
    )


def _stack(scores: list[TaskScores]) -> TaskScores:
    """[N, N] from one record [1, N] per removed circuit."""
    return TaskScores(
        np.concatenate([each.loss for each in scores]),
        np.concatenate([each.accuracy for each in scores]),
    )
