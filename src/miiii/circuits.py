"""The circuits of one run on the number line: every record computed once, when first asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.attribution import Attribution, attribute
from miiii.analysis.causal import (
    CausalMatrix,
    attributed_neurons,
    harmonic_removal,
    neuron_removal,
)
from miiii.analysis.causal_inputs import HeadEffects, embedding_removal, head_removal
from miiii.analysis.dictionary import Dictionary, harmonic_dictionary
from miiii.analysis.embedding_attribution import EmbeddingAttribution, attribute_embedding
from miiii.analysis.embeddings import digit_embeddings
from miiii.analysis.matching import MatchedNeurons
from miiii.analysis.number_spectrum import NumberSpectrum, number_spectrum
from miiii.analysis.recording import record
from miiii.analysis.serving import ServedTasks, served_tasks
from miiii.analysis.sharing_through_training import SharingThroughTraining, stack_sharing
from miiii.model.parameters import Parameters
from miiii.results import MissingInputError, Results
from miiii.tasks.dataset import Dataset

FOLLOWED_DRAWS, FOLLOWED_NUMBERS = 5, 3000
"""Control draws, and numbers scored, at each snapshot of a sharing curve: a twentieth of the work
of a whole matrix, at an error in accuracy of about one in a hundred."""


@dataclass(frozen=True)
class Circuits:
    """What analysis says about a run's circuits.

    Attributes:
        results: of the run; the weights that are taken apart are its.
        draws: control draws beside every removal.
        followed: at most how many snapshots are followed through training, log-spaced; 0: all.
    """

    results: Results
    draws: int = 20
    followed: int = 16

    @property
    def dataset(self) -> Dataset:
        """Numbers and targets.

        Raises:
            MissingInputError: the targets are not functions of n modulo some q.
        """
        run = self.results.run
        task = run.config.task.task
        if task != "miiii":
            raise MissingInputError(
                f"needs a run of T_miiii: run {run.name} is of T_{task}, whose targets are no "
                "function of n mod q"
            )
        return run.dataset

    @cached_property
    def dictionary(self) -> Dictionary:
        """The harmonics of all tasks."""
        return harmonic_dictionary(self.parameters.base, self.dataset.moduli)

    @property
    def parameters(self) -> Parameters:
        """The weights that are taken apart."""
        return self.results.parameters

    @cached_property
    def hidden(self) -> NDArray[np.floating]:
        """[p², F]: neurons after the ReLU."""
        return record(self.parameters, "mlp_hidden")["mlp_hidden"]

    @cached_property
    def matched(self) -> MatchedNeurons:
        """Every neuron's task by the frequencies of its two digits, before the ReLU."""
        return attributed_neurons(self.parameters, self.dataset.moduli, draws=self.draws)

    @cached_property
    def attribution(self) -> Attribution:
        """What each neuron is made of on the number line."""
        return attribute(self.hidden, self.parameters.base, self.dataset.moduli)

    @cached_property
    def served(self) -> ServedTasks:
        """Which tasks each neuron serves, against renamed digits."""
        return served_tasks(self.hidden, self.parameters.base, self.dataset.moduli)

    @cached_property
    def spectrum(self) -> NumberSpectrum:
        """All neurons' spectrum on the number line, what needs both digits alone."""
        base, moduli = self.parameters.base, self.dataset.moduli
        return number_spectrum(self.hidden, base, moduli, both_digits=True)

    @cached_property
    def embedding(self) -> EmbeddingAttribution:
        """Which tasks' frequencies the digits' embeddings hold."""
        return attribute_embedding(digit_embeddings(self.parameters), self.dataset.moduli)

    @cached_property
    def without_neurons(self) -> CausalMatrix:
        """Each task's neurons at their mean."""
        groups = self.matched.groups()
        return neuron_removal(self.parameters, self.dataset, groups, draws=self.draws)

    @cached_property
    def without_harmonics(self) -> CausalMatrix:
        """Each task's harmonics out of the MLP."""
        return harmonic_removal(self.parameters, self.dataset, draws=self.draws)

    @cached_property
    def without_frequencies(self) -> CausalMatrix:
        """Each task's frequencies out of the embeddings."""
        return embedding_removal(
            self.parameters, self.dataset, self.matched, draws=min(self.draws, 3)
        )

    @cached_property
    def without_heads(self) -> HeadEffects:
        """Each attention head at its mean."""
        return head_removal(self.parameters, self.dataset, draws=min(self.draws, 10))

    @cached_property
    def sharing(self) -> SharingThroughTraining:
        """The sharing index, neurons being removed, through training.

        Raises:
            MissingInputError: the run kept no snapshots.
        """
        return stack_sharing(self._matrices())

    def _matrices(self) -> Iterator[tuple[int, CausalMatrix]]:
        self.results.need_snapshots()
        snapshots, dataset = self.results.run.snapshots, self.dataset
        epochs = self.followed_epochs()
        domain = len(dataset.targets)
        generator = np.random.default_rng(0)
        numbers = np.sort(generator.permutation(domain)[:FOLLOWED_NUMBERS])
        what = f"sharing in {self.results.run.name}"
        for epoch in self.results.track(epochs, what, len(epochs)):
            yield (
                epoch,
                neuron_removal(snapshots[epoch], dataset, draws=FOLLOWED_DRAWS, numbers=numbers),
            )

    def followed_epochs(self) -> list[int]:
        """Epochs of the snapshots that are followed, from the first to the last, log-spaced."""
        epochs = np.array(sorted(self.results.run.snapshots), np.int64)
        if not self.followed or len(epochs) <= self.followed:
            return epochs.tolist()
        wanted = np.geomspace(max(epochs[0], 1), epochs[-1], self.followed)
        nearest = np.abs(np.log(np.maximum(epochs, 1)) - np.log(wanted)[:, None]).argmin(axis=1)
        return epochs[np.unique(nearest)].tolist()
