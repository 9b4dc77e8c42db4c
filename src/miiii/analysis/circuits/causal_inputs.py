"""What tasks lose without attention heads, or without frequencies of the embedding.

Before the MLP nothing is linear, so every removal runs the model again.
"""

from collections.abc import Callable, Sequence
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
from miiii.analysis.scoring import TaskScores, class_targets, score_tasks
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
    """[H, N]: without each head, its part at its mean over all numbers."""
    control: TaskScores
    """[R, N]: without random directions of all heads' mixed values, K of H·K, as one head has."""


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
        numbers: which to score; default: all p².

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
        without=_stack([score(remove_heads([head])) for head in range(heads)]),
        control=_stack([score(_fix_directions(each)) for each in directions]),
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
    """Take each task's frequencies out of the digits' embeddings.

    For task q these are k/q at x0 and pk/q at x1, for the k that its neurons have. p digits hold
    only ⌊p/2⌋ waves apart, so tasks' frequencies overlap there even where neurons do not.

    Args:
        parameters: the weights; the arithmetic is float64.
        dataset: moduli and targets.
        matched: which k each task uses; default: `attributed_neurons`.
        draws: R controls: as many frequencies at each digit, drawn evenly between 1/2p and ½.
        seed: of the controls.
        numbers: which to score; default: all p².

    Returns:
        A causal matrix whose sizes count frequencies per digit; no circuit is kept by itself.

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
        _stack([score(at_random(chosen)) for chosen in harmonics])
        for _ in range(at_least("draws", draws, 1))
    ]
    return CausalMatrix(
        removed="embedding",
        moduli=moduli,
        sizes=np.array([len(chosen) for chosen in harmonics]),
        numbers=len(chosen_numbers(numbers, base**2)),
        base=score(),
        without=_stack([score(of_task(*pair)) for pair in zip(moduli, harmonics, strict=True)]),
        kept=None,
        control=_stack(controls),
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
    """Fix what the heads mix, along some directions of all heads' values, at its mean."""

    def change(value: Array) -> FloatArray:
        whole = np.asarray(value, np.float64)
        flat = whole.reshape(*whole.shape[:2], -1)
        centred = flat - flat.mean(axis=0)
        return (flat - (centred @ directions) @ directions.T).reshape(whole.shape)

    return Intervention("attention_mixed", change)


def _stack(scores: Sequence[TaskScores]) -> TaskScores:
    return TaskScores(
        np.stack([each.loss for each in scores]), np.stack([each.accuracy for each in scores])
    )
