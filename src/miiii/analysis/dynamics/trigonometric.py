"""Nanda et al.'s (2023) measures of T_nanda: key frequencies, and losses with and without them.

Models compute x0 + x1 mod p by cos and sin of 2πk(x0 + x1)/p for a few k. As orthonormal functions
on the p² inputs these are u_k = (c_k⊗c_k − s_k⊗s_k)/√2 and v_k = (s_k⊗c_k + c_k⊗s_k)/√2, with c_k
and s_k of the DFT basis. They depend on x0 + x1 mod p only, so all is computed from the logits'
means over the inputs of each sum.

- restricted loss: logits Σ_k (u_k u_kᵀ + v_k v_kᵀ) L and the mean over inputs; all inputs.
- excluded loss: logits without that sum; the training inputs.
- trigonometric loss: logits Σ_k α_k cos(2πk(x0 + x1 − c)/p) with the best fitting α_k, one number
  per frequency; all inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import finite, share_of_one
from miiii.analysis.dynamics.task_losses import group_means, is_addition, residues
from miiii.analysis.harmonics.digit_split import share_of
from miiii.analysis.harmonics.fourier import basis_frequencies, distinct_frequencies, fourier_basis
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.analysis.parts.neurons import NeuronSpectra, neuron_spectra
from miiii.analysis.recording import record, to_grid
from miiii.analysis.scoring import class_targets, mean_scores, score_sums
from miiii.model.parameters import Parameters
from miiii.tasks.dataset import Dataset


@dataclass(frozen=True)
class KeyFrequencies:
    """The main frequency of each of F neurons; K = ⌊p/2⌋ + 1 with the constant."""

    base: int
    """p."""
    share: FloatArray
    """[F, K − 1]: share of a neuron's variance on frequency k of either digit and on the products
    of the two; NaN where the neuron is silent."""
    threshold: float
    """The least share with which a neuron counts for its main frequency."""

    @property
    def neuron(self) -> NDArray[np.int64]:
        """[F]: the frequency that each neuron counts for, 1 … ⌊p/2⌋; 0 for none."""
        largest = np.nan_to_num(self.share).max(axis=1)
        return np.where(largest >= self.threshold, np.nan_to_num(self.share).argmax(axis=1) + 1, 0)

    @property
    def neurons(self) -> NDArray[np.int64]:
        """[K − 1]: how many neurons count for each frequency."""
        return np.bincount(self.neuron, minlength=self.base // 2 + 1)[1:]

    @property
    def frequencies(self) -> tuple[int, ...]:
        """The key frequencies: those with at least one neuron, ascending, cycles per p digits."""
        return tuple((np.flatnonzero(self.neurons) + 1).tolist())


@dataclass(frozen=True)
class Trigonometric:
    """Loss and accuracy of addition mod p by J key frequencies.

    Losses are cross-entropies / ln p, so that guessing costs 1. Accuracies are shares of inputs
    whose label, and no other, has the largest logit.
    """

    base: int
    """p."""
    frequencies: tuple[int, ...]
    """[J], ascending."""
    loss: float
    """Of the whole logits, all inputs."""
    accuracy: float
    train_loss: float
    """Of the whole logits, the training inputs."""
    train_accuracy: float
    restricted_loss: float
    restricted_accuracy: float
    excluded_loss: float
    """Without all key frequencies."""
    excluded_accuracy: float
    excluded_each: FloatArray
    """[J]: excluded loss without one key frequency."""
    coefficients: FloatArray
    """[J]: α_k, in the logits' unit."""
    trigonometric_loss: float
    trigonometric_accuracy: float
    explained: float
    """Share of the logits' variance that Σ_k α_k cos(2πk(x0 + x1 − c)/p) explains. Each input's
    mean over the classes, on which no loss depends, is subtracted first. NaN where nothing
    varies."""


def key_frequencies(parameters: Parameters, threshold: float = 0.85) -> KeyFrequencies:
    """Find the main frequencies of the neurons after the ReLU.

    Args:
        parameters: the weights, usually of the end of training.
        threshold: least share of a neuron's variance on its main frequency; with 0.85 Nanda et al.
            call a neuron well explained.

    Raises:
        ValueError: the threshold is not above 0 and at most 1, or an activation is not finite.
    """
    grids = to_grid(record(parameters, "mlp_hidden")["mlp_hidden"], parameters.base)
    return frequencies_of_neurons(neuron_spectra(grids), threshold)


def frequencies_of_neurons(spectra: NeuronSpectra, threshold: float = 0.85) -> KeyFrequencies:
    """`key_frequencies` from the neurons' spectra."""
    share_of_one("threshold", threshold)
    power = spectra.power
    same = np.einsum("fkk->fk", power)
    each = (power[:, :, 0] + power[:, 0] + same)[:, 1:]
    return KeyFrequencies(spectra.base, share_of(each, spectra.variance[:, None]), float(threshold))


def trigonometric(
    parameters: Parameters, dataset: Dataset, frequencies: Sequence[int]
) -> Trigonometric:
    """Measure a model of T_nanda.

    Args:
        parameters: the weights.
        dataset: of x0 + x1 mod p.
        frequencies: the key frequencies, 1 … ⌊p/2⌋.

    Raises:
        ValueError: the task is another, there is no frequency, or one is outside or twice.
    """
    need_addition(dataset)
    return trigonometric_of_logits(record(parameters, "logits")["logits"], dataset, frequencies)


def trigonometric_of_logits(
    logits: ArrayLike, dataset: Dataset, frequencies: Sequence[int]
) -> Trigonometric:
    """`trigonometric` from logits [p², p]."""
    need_addition(dataset)
    base = dataset.moduli[0]
    chosen = distinct_frequencies(frequencies, base)
    if not chosen:
        raise ValueError("no key frequency: expected at least one, found 0")
    array = finite("logits", logits)
    if array.shape != (base**2, base):
        raise ValueError(f"logits have shape {array.shape}: expected [p², p] = {(base**2, base)}")
    whole = np.array(array.T, order="C")
    sums = residues(dataset)[:, 0]
    labels, train = class_targets(dataset)[None, :, 0], np.asarray(dataset.split.train)
    means = group_means(whole, sums)
    mean = means.mean(axis=1, keepdims=True)
    # [J] of [c, sum]: the part on each frequency.
    parts = np.stack([_on_frequency(means, k) for k in chosen])

    def scored(values: FloatArray, numbers: NDArray[np.integer]) -> tuple[float, float]:
        of_numbers = np.ascontiguousarray(values[:, numbers])
        found = score_sums(of_numbers, labels[:, numbers], (base,))
        scores = mean_scores(found, len(numbers), (base,))
        return float(scores.loss[0]), float(scores.accuracy[0])

    every = np.arange(base**2)
    restricted = (mean + parts.sum(axis=0))[:, sums]
    excluded = whole - parts.sum(axis=0)[:, sums]
    # [J, c, sum]: cos(2πk(sum − c)/p); whole numbers modulo p keep the angles exact.
    turns = np.arange(base)[None, :] - np.arange(base)[:, None]
    waves = np.cos(2 * np.pi * (np.array(chosen)[:, None, None] * turns % base) / base)
    norms = (waves**2).sum(axis=(1, 2))
    coefficients = (means * waves).sum(axis=(1, 2)) / norms
    ideal = np.tensordot(coefficients, waves, 1)[:, sums]
    losses = {
        "": scored(whole, every),
        "train_": scored(whole, train),
        "restricted_": scored(restricted, every),
        "excluded_": scored(excluded, train),
        "trigonometric_": scored(ideal, every),
    }
    each = [scored(whole - part[:, sums], train)[0] for part in parts]
    varying = whole - whole.mean(axis=0)
    varying -= varying.mean(axis=1, keepdims=True)
    return Trigonometric(
        base=base,
        frequencies=chosen,
        **{f"{name}loss": loss for name, (loss, _) in losses.items()},
        **{f"{name}accuracy": accuracy for name, (_, accuracy) in losses.items()},
        excluded_each=np.array(each),
        coefficients=coefficients,
        explained=float(share_of(base * (coefficients**2 * norms).sum(), (varying**2).sum())),
    )


def need_addition(dataset: Dataset) -> None:
    """Refuse a task other than addition.

    Raises:
        ValueError: it is another.
    """
    if not is_addition(dataset):
        raise ValueError(
            "the task is not x0 + x1 mod p: expected T_nanda with operation add, found moduli "
            f"{', '.join(map(str, dataset.moduli[:4]))}{', …' * (len(dataset.moduli) > 4)} "
            "with other targets"
        )


def _on_frequency(means: FloatArray, frequency: int) -> FloatArray:
    basis = fourier_basis(means.shape[1])
    rows = basis[basis_frequencies(means.shape[1]) == frequency]
    return (means @ rows.T) @ rows
