"""Scores without parts of the MLP, without running the model again.

After the MLP the model is linear: logits = (residual_mid + hidden · W_out) · W_U. Removing
functions U Uᵀ hidden, or single neurons, from the hidden activations subtracts a matrix of low rank
from the logits, [p², d] times [d, V]. At p = 113, d = 256 one removal with its scores takes a
quarter of a second on one core; memory is about 1 GB.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import chosen_numbers
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.analysis.recording import record
from miiii.analysis.scoring import TaskScores, class_targets, mean_scores, score_sums
from miiii.model.parameters import Parameters, in_float64
from miiii.tasks.dataset import Dataset

_PIECE = 1024
"""Numbers that one thread scores at a time: 12 MB of logits at p = 113."""


@dataclass(frozen=True)
class Readout:
    """The last block's MLP and its map to the logits; float64."""

    base: int
    """p."""
    hidden: FloatArray
    """[p², F]: neurons after the ReLU, each minus its mean."""
    weights: FloatArray
    """[F, V]: W_out · W_U, from a neuron to the logits."""
    logits: FloatArray
    """[V, p²], class-major: of the whole model."""

    def contribution(self) -> FloatArray:
        """[p², V]: the MLP's contribution to the logits, minus its mean."""
        return self.hidden @ self.weights


@dataclass(frozen=True)
class LowRank:
    """A part of the logits, functions · weights, to be removed in stages."""

    functions: FloatArray
    """[p², d]."""
    weights: FloatArray
    """[d, V]."""
    sizes: tuple[int, ...]
    """Ascending, each at most d: stage i removes the first sizes[i] components."""


def readout(parameters: Parameters) -> Readout:
    """Record a model's MLP and logits on all p² numbers, in float64.

    Raises:
        ValueError: an activation is not finite.
    """
    wide = in_float64(parameters)
    recorded = record(wide, "mlp_hidden", "logits")
    hidden = np.asarray(recorded["mlp_hidden"], np.float64)
    weights = np.asarray(wide.blocks[-1].mlp_out, np.float64) @ np.asarray(wide.unembedding)
    logits = np.ascontiguousarray(np.asarray(recorded["logits"], np.float64).T)
    return Readout(wide.base, hidden - hidden.mean(axis=0), weights, logits)


def score_without(
    logits: FloatArray,
    parts: Sequence[LowRank],
    dataset: Dataset,
    numbers: ArrayLike | None = None,
) -> list[TaskScores]:
    """Score the tasks without each of some parts of the logits.

    Args:
        logits: [V, p²], class-major.
        parts: removed one at a time, each in its stages.
        dataset: targets and class sizes.
        numbers: the numbers to score, in 0 … p² − 1; default: all of them.

    Returns:
        One record per part, of scores [sizes, N].

    Raises:
        ValueError: the task has no classes, or a number is outside the domain.
    """
    targets = class_targets(dataset)
    chosen = answered_among(chosen_numbers(numbers, logits.shape[1]), targets)
    class_sizes = dataset.class_sizes

    whole = (
        logits
        if len(chosen) == logits.shape[1] and numbers is None
        else np.ascontiguousarray(logits[:, chosen])
    )
    labels = np.ascontiguousarray(targets[chosen].T)
    left, removed = np.empty_like(whole), np.empty_like(whole)
    pieces = [slice(at, at + _PIECE) for at in range(0, len(chosen), _PIECE)]

    def score(piece: slice) -> FloatArray:
        np.subtract(left[:, piece], removed[:, piece], out=left[:, piece])
        return score_sums(left[:, piece], labels[:, piece], class_sizes)

    totals = [np.zeros((2, len(part.sizes), len(class_sizes))) for part in parts]
    # Matrix products use a BLAS's own threads, so they stay outside the pool. Scoring is NumPy,
    # which releases the interpreter's lock. `map` yields in the order of the pieces, so that the
    # sums do not depend on which thread finishes first.
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, len(pieces))) as pool:
        for part, total in zip(parts, totals, strict=True):
            functions = part.functions[chosen].T
            np.copyto(left, whole)
            done = 0
            for index, size in enumerate(part.sizes):
                stage = slice(done, max(size, done))
                np.matmul(part.weights[stage].T, functions[stage], out=removed)
                total[:, index] = sum(pool.map(score, pieces))
                done = stage.stop
    return [mean_scores(total, len(chosen), class_sizes) for total in totals]


def answered_among(numbers: NDArray[np.int64], targets: NDArray[np.integer]) -> NDArray[np.int64]:
    """The numbers, of those given, that have an answer in every task."""
    return numbers[(targets[numbers] >= 0).all(axis=1)]
