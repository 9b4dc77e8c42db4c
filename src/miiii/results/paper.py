"""What analysis says about one run: every record computed once, when it is first asked for."""

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
    """Something is needed that is not there; the message says what, and how to give it."""


Item = TypeVar("Item")
Track = Callable[[Iterable[Item], str, int], Iterable[Item]]
"""Wraps an iterable that takes long: (items, what it is, how many there are)."""

STRONGEST_PAIRS = 5
"""Pairs of frequencies in which a periodic neuron's variance is looked for."""

GRADIENT_WINDOW = 25
"""Epochs of the running median over gradient norms, so that single spikes do not decide."""


def untracked(items: Iterable[Item], what: str, count: int) -> Iterator[Item]:
    """No progress shown."""
    del what, count
    return iter(items)


@dataclass(frozen=True)
class Results:
    """The records of one run, dropout off.

    Attributes:
        run: the run.
        epoch: of the snapshot that is analysed; None: the latest weights.
        track: shows the progress of what goes through all snapshots.
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
        """Its weights.

        Raises:
            KeyError: no snapshot of that epoch.
        """
        return self.model.parameters

    def need_snapshots(self) -> None:
        """Refuse a run without snapshots.

        Raises:
            MissingInputError: it has none.
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
        return neuron_examples(self.neurons, count=STRONGEST_PAIRS)

    @cached_property
    def hidden_examples(self) -> NeuronExamples:
        """A few hidden neurons, after the ReLU, picked by the same rule."""
        return neuron_examples(self.neurons, "mlp_hidden", count=STRONGEST_PAIRS)

    @cached_property
    def periodicity(self) -> Periodicity:
        """How few pairs of frequencies hold how much of the hidden neurons' variance."""
        return periodicity(self.neurons.hidden, STRONGEST_PAIRS)

    @cached_property
    def frequency_need(self) -> FrequencyNeed:
        """Single frequencies that hold 90 % of each hidden neuron's variance."""
        return frequency_need(neuron_spectra(self.neurons.hidden).frequency_power)

    @cached_property
    def permuted_frequency_need(self) -> FrequencyNeed:
        """The same with the digits' names permuted, one permutation for all neurons."""
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
        """The token embedding along the token axis, beside random matrices like its initial one."""
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
        """Where each head looks from the answer position."""
        return attention_patterns.attention(self.parameters)

    @cached_property
    def waves_fit(self) -> WavesFit:
        """What a cosine model computes, beside the function."""
        return waves_fit(self.parameters)
