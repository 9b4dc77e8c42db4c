"""Each task's scores without each task's circuit: the N × N causal matrix.

There are two ways to remove task i's circuit from the last block's MLP, each with controls of the
same size, and each with its opposite, keeping only the circuit:

- harmonics: task i's functions of n are removed from all neurons. Everything after the MLP is
  linear, so this removes task i's harmonics from the MLP's contribution to each task's logits: it
  tests whether tasks read each other's harmonics. It does not test whether neurons are shared: the
  logits of a solved task are functions of n mod q, with little power on another task's harmonics,
  whichever neurons they come from. Control: random subspaces of the same dimension.
- neurons: the neurons attributed to task i are fixed at their mean. This tests whether tasks use
  the same neurons. Control: as many random neurons.
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
from miiii.analysis.scoring import TaskScores, stack_scores
from miiii.model.parameters import Parameters
from miiii.streams import Stream, generator
from miiii.tasks.dataset import Dataset

Removed = Literal["harmonics", "neurons", "embedding"]


@dataclass(frozen=True)
class CausalMatrix:
    """Scores of every task without, and with only, each task's circuit.

    Losses are in units of guessing (1), accuracies 0 to 1. In every matrix the row is the task
    whose circuit is removed or kept, the column the task that is measured. R control draws.
    """

    removed: Removed
    """The kind of circuit."""
    moduli: tuple[int, ...]
    """[N]."""
    sizes: NDArray[np.int64]
    """[N]: how many functions, neurons or frequencies were removed."""
    numbers: int
    """How many numbers were scored."""
    base: TaskScores
    """[N]: of the whole model."""
    without: TaskScores
    """[N, N]: without each circuit."""
    kept: TaskScores | None
    """[N, N]: with only each circuit, the rest of the MLP at its mean; None where it was not
    measured."""
    control: TaskScores
    """[R, N, N]: without a random circuit of the same size."""


def harmonic_removal(
    model: Parameters | Readout,
    dataset: Dataset,
    *,
    draws: int = 10,
    seed: int = 0,
    numbers: ArrayLike | None = None,
) -> CausalMatrix:
    """Remove each task's harmonics from the MLP's hidden activations.

    Args:
        model: the weights; or a hidden layer and its read-out, of a model of any kind.
        dataset: moduli and targets; the targets should be functions of n mod q.
        draws: R, random subspaces; within a draw smaller ones lie in larger ones.
        seed: of the controls.
        numbers: the numbers to score; default: all p². Removal is always over all of them.

    Raises:
        ValueError: an activation is not finite, draws is below 1, a number or a modulus is outside,
            or the task has no classes.
    """
    model = model if isinstance(model, Readout) else readout(model)
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
    model: Parameters | Readout,
    dataset: Dataset,
    groups: Sequence[ArrayLike] | None = None,
    *,
    draws: int = 10,
    seed: int = 0,
    numbers: ArrayLike | None = None,
) -> CausalMatrix:
    """Fix each task's neurons at their mean.

    Args:
        model: the weights; or a hidden layer and its read-out, of a model of any kind.
        dataset: moduli and targets.
        groups: [N] neurons of each task, which may overlap or be none. Default, for weights: the
            neurons whose best matched pair of frequencies is the task's (`attributed_neurons`).
        draws: R, random groups of the same sizes. Within a draw smaller groups lie in larger ones.
        seed: of the controls.
        numbers: the numbers to score; default: all p².

    Raises:
        ValueError: as in `harmonic_removal`, or groups are missing, are not one per task, or name a
            neuron that does not exist.
    """
    if not isinstance(model, Readout):
        groups = attributed_neurons(model, dataset.moduli).groups() if groups is None else groups
        model = readout(model)
    groups = () if groups is None else groups
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
    # Each part has one size, so each record has one row.
    without = stack_scores(
        [each[0] for each in score_without(model.logits, parts, dataset, numbers)]
    )
    # Without a part of no components: the scores of the whole model.
    nothing = LowRank(contribution[:, :0], model.weights[:0], (0,))
    base = score_without(model.logits, [nothing], dataset, numbers)[0][0]
    rest = model.logits - contribution.T
    added = [LowRank(part.functions, -part.weights, part.sizes) for part in parts]
    kept = stack_scores([each[0] for each in score_without(rest, added, dataset, numbers)])
    del rest
    # The sizes ascend, so that one draw of the largest serves all tasks.
    ascending, rows = np.unique(sizes, return_inverse=True)
    stages = tuple(int(size) for size in ascending)
    controls, drawn = generator(Stream.CIRCUIT_CONTROLS, seed), []
    for _ in range(draws):
        part = LowRank(*control(controls), stages)
        drawn.append(score_without(model.logits, [part], dataset, numbers)[0][rows])
    return CausalMatrix(
        removed=removed,
        moduli=tuple(dataset.moduli),
        sizes=sizes,
        numbers=len(chosen_numbers(numbers, len(contribution))),
        base=base,
        without=without,
        kept=kept,
        control=stack_scores(drawn),
    )
