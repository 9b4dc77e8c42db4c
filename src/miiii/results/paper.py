"""The analysis of one run, each record computed once on first access."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from miiii.analysis.dynamics.snapshots import (
    SpectraThroughTraining,
    stack_spectra,
)
from miiii.analysis.parts import attention as attention_patterns
from miiii.analysis.parts.concentration import (
    FrequencyNeed,
    NeuronExamples,
    Periodicity,
    frequency_need,
    neuron_examples,
    periodicity,
)
from miiii.analysis.parts.curves import Curves
from miiii.analysis.parts.embeddings import (
    EmbeddingSpectrum,
    PositionalEmbeddings,
    digit_embeddings,
    embedding_spectrum,
    positional_embeddings,
)
from miiii.analysis.parts.gradients import GradientNorms, gradient_norms
from miiii.analysis.parts.neurons import NeuronGrids, neuron_grids, neuron_spectra
from miiii.analysis.parts.singular import SingularSpectrum, singular_spectrum
from miiii.analysis.parts.waves_fit import WavesFit, waves_fit
from miiii.analysis.permuting import permutations
from miiii.claims.rules import paper as rules
from miiii.experiment.model_at import ModelAt
from miiii.experiment.run import Run
from miiii.model.initialise import standard_deviations
from miiii.model.parameters import Parameters
from miiii.results.curves import history_curves
from miiii.results.spectra import snapshot_spectra


class MissingInputError(ValueError):
    """A run, or a part of one, is missing; the message says which, and how to give it."""


Item = TypeVar("Item")
Track = Callable[[Iterable[Item], str, int], Iterable[Item]]
"""Shows the progress of a long iteration: (items, their name, their number) to the same items."""

GRADIENT_WINDOW = 25
"""Epochs of the running median over gradient norms, so that single spikes do not decide."""


def untracked(items: Iterable[Item], name: str, count: int) -> Iterator[Item]:
    """The items, without a display of progress."""
    del name, count
    return iter(items)


@dataclass(frozen=True)
class Results:
    """The records of one run, dropout off.

    Attributes:
        run: the run.
        epoch: of the snapshot that is analysed; None: the latest weights.
        track: shows the progress of iterations over snapshots.
    """

    run: Run
    epoch: int | None = None
    track: Track[Any] = field(default=untracked, compare=False)

    @cached_property
    def model(self) -> ModelAt:
        """The model that is analysed."""
        return ModelAt(self.run, self.epoch)

    @property
    def parameters(self) -> Parameters:
        """The weights that are analysed.

        Raises:
            KeyError: no snapshot of that epoch.
        """
        return self.model.parameters

    def need_snapshots(self) -> None:
        """Refuse a run without snapshots.

        Raises:
            MissingInputError: the run has none.
        """
        if not len(self.run.snapshots):
            raise MissingInputError(
                f"needs snapshots: run {self.run.name} has none (trained with --snapshots 0?)"
            )

    @cached_property
    def curves(self) -> Curves:
        """Loss and accuracy of every task through training."""
        return history_curves(self.run.config, self.run.history)

    @cached_property
    def gradient_norms(self) -> GradientNorms:
        """Norms per weight through training, a running median over `GRADIENT_WINDOW` epochs."""
        history = self.run.history
        measured = history.has_gradients
        epochs, norms = history.epoch[measured], history.gradient_norm[measured]
        window = min(GRADIENT_WINDOW, (len(epochs) - 1) // 2 * 2 + 1)
        names = history.weight_names
        return gradient_norms(epochs, norms, names, rest=rules.AT_REST, window=window)

    @cached_property
    def neurons(self) -> NeuronGrids:
        """Every neuron on the grid of the two digits."""
        return neuron_grids(self.parameters)

    @cached_property
    def neuron_examples(self) -> NeuronExamples:
        """A few neurons, picked by rank of concentration, after W_out as in Figures 6 and 7."""
        return neuron_examples(self.neurons, count=rules.STRONGEST)

    @cached_property
    def hidden_examples(self) -> NeuronExamples:
        """A few hidden neurons, after the ReLU, picked by the same rule."""
        return neuron_examples(self.neurons, "mlp_hidden", count=rules.STRONGEST)

    @cached_property
    def periodicity(self) -> Periodicity:
        """Share of each hidden neuron's variance in its strongest pairs of frequencies."""
        return periodicity(self.neurons.hidden, rules.STRONGEST)

    @cached_property
    def frequency_need(self) -> FrequencyNeed:
        """Number of single frequencies that hold 90 % of each hidden neuron's variance."""
        return frequency_need(neuron_spectra(self.neurons.hidden).frequency_power)

    @cached_property
    def permuted_frequency_need(self) -> FrequencyNeed:
        """The same with permuted digits, one permutation for all neurons."""
        order = permutations(self.neurons.base, 1, 0)[0]
        return frequency_need(neuron_spectra(self.neurons.hidden, order).frequency_power)

    @cached_property
    def spectra(self) -> SpectraThroughTraining:
        """The hidden neurons' spectrum at every snapshot, with its calibrated counts."""
        snapshots = self.run.snapshots
        measured = snapshot_spectra(self.run)
        return stack_spectra(self.track(measured, f"spectra of {self.run.name}", len(snapshots)))

    @cached_property
    def positional_embeddings(self) -> PositionalEmbeddings:
        """The three positions' embeddings, with Pearson's r of the digits'."""
        return positional_embeddings(np.asarray(self.parameters.position_embedding))

    @cached_property
    def embedding_spectrum(self) -> EmbeddingSpectrum:
        """Spectrum of the token embedding over tokens, beside random matrices of initial scale."""
        return embedding_spectrum(digit_embeddings(self.parameters), self.initial_deviation)

    @property
    def initial_deviation(self) -> float:
        """Standard deviation of the token embedding's initial entries."""
        config, sizes = self.run.config, self.run.dataset.class_sizes
        deviations = standard_deviations(config.model, config.task.base, len(sizes))
        return deviations["token_embedding"]

    @cached_property
    def singular_spectrum(self) -> SingularSpectrum:
        """Singular values and vectors of the token embedding."""
        return singular_spectrum(digit_embeddings(self.parameters))

    @cached_property
    def attention(self) -> attention_patterns.AttentionPattern:
        """Attention of each head from the answer position."""
        return attention_patterns.attention(self.parameters)

    @cached_property
    def waves_fit(self) -> WavesFit:
        """The output of a cosine model beside the function."""
        return waves_fit(self.parameters)
