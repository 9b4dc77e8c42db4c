"""The tasks' scores without attention heads, or without frequencies of the embedding.

The model is not linear before the MLP, so every removal runs the model again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, chosen_numbers
from miiii.analysis.circuits.ablation import ablate, remove_digit_waves, remove_heads
from miiii.analysis.circuits.causal import CausalMatrix, attributed_neurons
from miiii.analysis.circuits.matching import MatchedNeurons
from miiii.analysis.circuits.removal import answered_among
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.analysis.scoring import TaskScores, class_targets, score_tasks, stack_scores
from miiii.model.intervention import Intervention
from miiii.model.parameters import Parameters, in_float64
from miiii.streams import Stream, generator
from miiii.tasks.dataset import Dataset

Score = Callable[..., TaskScores]


@dataclass(frozen=True)
class HeadEffects:
    """Scores of every task without each head of the last block. H heads, N tasks, R draws."""

    moduli: tuple[int, ...]
    """[N]."""
    base: TaskScores
    """[N]: of the whole model."""
    without: TaskScores
    """[H, N]: without each head, its contribution fixed at its mean over all numbers."""
    control: TaskScores
    """[R, N]: without K random directions of the H·K mixed values, as many as a head has."""


def head_removal(
    parameters: Parameters,
    dataset: Dataset,
    *,
    draws: int = 10,
    seed: int = 0,
    numbers: ArrayLike | None = None,
) -> HeadEffects:
    """Remove each attention head of the last block.

    Args:
        parameters: the weights; the arithmetic is float64.
        dataset: moduli and targets.
        draws: R.
        seed: of the controls.
        numbers: the numbers to score; default: all p².

    Raises:
        ValueError: draws is below 1, a number is outside, or the task has no classes.
    """
    score = _scorer(parameters, dataset, numbers)
    heads, _, width = parameters.blocks[-1].query.shape
    drawn = generator(Stream.HEAD_CONTROLS, seed)
    directions = [
        np.linalg.qr(drawn.normal(size=(heads * width, width)))[0]
        for _ in range(at_least("draws", draws, 1))
    ]
    return HeadEffects(
        moduli=tuple(dataset.moduli),
        base=score(),
        without=stack_scores([score(remove_heads([head])) for head in range(heads)]),
        control=stack_scores([score(_fix_directions(each)) for each in directions]),
    )


def embedding_removal(
    parameters: Parameters,
    dataset: Dataset,
    matched: MatchedNeurons | None = None,
    *,
    draws: int = 3,
    seed: int = 0,
    numbers: ArrayLike | None = None,
) -> CausalMatrix:
    """Remove each task's frequencies from the digits' embeddings.

    For task q these are k/q at x0 and pk/q at x1, for the k that its neurons have. p digits resolve
    only ⌊p/2⌋ frequencies, so tasks' frequencies overlap even where their neurons do not.

    Args:
        parameters: the weights; the arithmetic is float64.
        dataset: moduli and targets.
        matched: neurons with the k of each task; default: `attributed_neurons`.
        draws: R controls: as many frequencies at each digit, uniform between 1/2p and ½.
        seed: of the controls.
        numbers: the numbers to score; default: all p².

    Returns:
        A causal matrix whose sizes count frequencies per digit; `kept` is None.

    Raises:
        ValueError: as in `head_removal`, or the neurons were matched with other moduli.
    """
    score = _scorer(parameters, dataset, numbers)
    base, moduli = parameters.base, tuple(dataset.moduli)
    found = attributed_neurons(parameters, moduli) if matched is None else matched
    if found.moduli != moduli:
        raise ValueError(f"neurons were matched with moduli {found.moduli}: expected {moduli}")
    harmonics = [found.harmonics_of(index) for index in range(len(moduli))]

    def of_task(modulus: int, chosen: NDArray[np.int64]) -> Intervention:
        over_x1 = (base * chosen % modulus) / modulus
        return remove_digit_waves(list(chosen / modulus), list(over_x1))

    random = generator(Stream.EMBEDDING_CONTROLS, seed)

    def at_random(chosen: NDArray[np.int64]) -> Intervention:
        drawn = random.uniform(1 / (2 * base), 0.5, size=(2, len(chosen)))
        return remove_digit_waves(list(drawn[0]), list(drawn[1]))

    controls = [
        stack_scores([score(at_random(chosen)) for chosen in harmonics])
        for _ in range(at_least("draws", draws, 1))
    ]
    removals = [of_task(*pair) for pair in zip(moduli, harmonics, strict=True)]
    return CausalMatrix(
        removed="embedding",
        moduli=moduli,
        sizes=np.array([len(chosen) for chosen in harmonics]),
        numbers=len(chosen_numbers(numbers, base**2)),
        base=score(),
        without=stack_scores([score(removal) for removal in removals]),
        kept=None,
        control=stack_scores(controls),
    )


def _scorer(parameters: Parameters, dataset: Dataset, numbers: ArrayLike | None) -> Score:
    targets = class_targets(dataset)
    chosen = answered_among(chosen_numbers(numbers, len(targets)), targets)
    wide = in_float64(parameters)

    def score(*interventions: Intervention) -> TaskScores:
        logits = ablate(wide, *interventions)[chosen]
        return score_tasks(logits, targets[chosen], dataset.class_sizes)

    return score


def _fix_directions(directions: FloatArray) -> Intervention:
    """Fix the heads' mixed values at their mean along some directions, [H·K, d] orthonormal."""

    def change(value: Array) -> FloatArray:
        whole = np.asarray(value, np.float64)
        flat = whole.reshape(*whole.shape[:2], -1)
        centred = flat - flat.mean(axis=0)
        return (flat - (centred @ directions) @ directions.T).reshape(whole.shape)

    return Intervention("attention_mixed", change)
