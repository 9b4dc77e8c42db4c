"""The circuits of one run on the number line, each record computed once on first access."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from miiii.analysis.certificate.certify import Certificate
from miiii.analysis.circuits.attribution import Attribution, attribute
from miiii.analysis.circuits.causal import (
    CausalMatrix,
    attributed_neurons,
    harmonic_removal,
    neuron_removal,
)
from miiii.analysis.circuits.causal_inputs import HeadEffects, embedding_removal, head_removal
from miiii.analysis.circuits.embedding_attribution import EmbeddingAttribution, attribute_embedding
from miiii.analysis.circuits.matching import MatchedNeurons
from miiii.analysis.circuits.number_spectrum import NumberSpectrum, number_spectrum
from miiii.analysis.circuits.serving import ServedTasks, served_tasks
from miiii.analysis.dynamics.addition import (
    AdditionThroughTraining,
    addition_measures,
    stack_addition,
)
from miiii.analysis.dynamics.power import PowerThroughTraining, model_power, stack_power
from miiii.analysis.dynamics.power_appearance import PowerAppearance, power_appearance
from miiii.analysis.dynamics.progress import (
    ProgressThroughTraining,
    model_progress,
    stack_progress,
)
from miiii.analysis.dynamics.sharing import SharingThroughTraining, stack_sharing
from miiii.analysis.dynamics.trigonometric import key_frequencies
from miiii.analysis.harmonics.dictionary import Dictionary, harmonic_dictionary
from miiii.analysis.parts.embeddings import digit_embeddings
from miiii.analysis.permuting import sample_numbers
from miiii.analysis.recording import record
from miiii.model.parameters import Parameters
from miiii.results.certificates import certify_run
from miiii.results.paper import MissingInputError, Results
from miiii.runs.thinning import log_spaced
from miiii.runs.thresholds import HELD
from miiii.tasks.dataset import Dataset

FOLLOWED_DRAWS, FOLLOWED_NUMBERS = 5, 3000
"""Control draws and scored numbers per snapshot of a sharing curve: a twentieth of the work of a
full matrix. The standard error of an accuracy is then about 0.01."""

Measured = TypeVar("Measured")


@dataclass(frozen=True)
class Circuits:
    """The records of a run's circuits.

    Attributes:
        results: of the run.
        draws: control draws of every removal.
        followed: most snapshots that are analysed through training, log-spaced; 0: all.

    Raises:
        MissingInputError: by the records through training, the run kept no snapshots.
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
        """The weights that are analysed."""
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
        """Shares of each neuron's variance on every task's harmonics k/q."""
        return attribute(self.hidden, self.parameters.base, self.dataset.moduli)

    @cached_property
    def served(self) -> ServedTasks:
        """The tasks whose harmonics each neuron holds beyond chance, which renamed digits give."""
        return served_tasks(self.hidden, self.parameters.base, self.dataset.moduli)

    @cached_property
    def spectrum(self) -> NumberSpectrum:
        """Spectrum over n of all neurons, without the part that one digit explains."""
        base, moduli = self.parameters.base, self.dataset.moduli
        return number_spectrum(self.hidden, base, moduli, both_digits=True)

    @cached_property
    def embedding(self) -> EmbeddingAttribution:
        """Shares of the digits' embeddings on every task's frequencies."""
        return attribute_embedding(digit_embeddings(self.parameters), self.dataset.moduli)

    @cached_property
    def without_neurons(self) -> CausalMatrix:
        """Scores of all tasks with one task's neurons fixed at their mean."""
        groups = self.matched.groups()
        return neuron_removal(self.parameters, self.dataset, groups, draws=self.draws)

    @cached_property
    def without_harmonics(self) -> CausalMatrix:
        """Scores of all tasks with one task's harmonics removed from the MLP."""
        return harmonic_removal(self.parameters, self.dataset, draws=self.draws)

    @cached_property
    def without_frequencies(self) -> CausalMatrix:
        """Scores of all tasks with one task's frequencies removed from the embeddings."""
        return embedding_removal(
            self.parameters, self.dataset, self.matched, draws=min(self.draws, 3)
        )

    @cached_property
    def without_heads(self) -> HeadEffects:
        """Scores of all tasks with one attention head fixed at its mean."""
        return head_removal(self.parameters, self.dataset, draws=min(self.draws, 10))

    @cached_property
    def sharing(self) -> SharingThroughTraining:
        """The sharing index through training, by removal of neurons."""
        dataset = self.dataset
        numbers = sample_numbers(self.parameters.base, FOLLOWED_NUMBERS)
        return stack_sharing(
            self._follow(
                "sharing",
                lambda weights: neuron_removal(
                    weights, dataset, draws=FOLLOWED_DRAWS, numbers=numbers
                ),
            )
        )

    @cached_property
    def power(self) -> PowerThroughTraining:
        """Each task's power in the neurons through training."""
        dataset = self.dataset
        return stack_power(self._follow("power", lambda weights: model_power(weights, dataset)))

    @cached_property
    def appearance(self) -> PowerAppearance:
        """The epochs at which each task's power appears and at which the task is solved."""
        solved = self.results.run.history.first_reached(HELD, held=True)
        return power_appearance(self.power, solved, HELD)

    @cached_property
    def progress(self) -> ProgressThroughTraining:
        """Restricted, carried and excluded losses, Gini, norms and ranks through training."""
        dataset = self.dataset
        return stack_progress(
            self._follow("progress", lambda weights: model_progress(weights, dataset))
        )

    @cached_property
    def addition(self) -> AdditionThroughTraining:
        """The progress measures of addition through training, by the last key frequencies.

        Raises:
            MissingInputError: the run is not of T_nanda, or no neuron has a key frequency.
        """
        run = self.results.run
        if run.config.task.task != "nanda":
            raise MissingInputError(f"needs a run of T_nanda: {run.name} is of another task")
        frequencies = key_frequencies(self.parameters).frequencies
        if not frequencies:
            raise MissingInputError(f"needs key frequencies: no neuron of {run.name} has one")
        return stack_addition(
            self._follow(
                "addition",
                lambda weights: addition_measures(weights, run.dataset, frequencies),
            )
        )

    @cached_property
    def certificate(self) -> Certificate:
        """Margins on every number against the bound on rounding.

        Raises:
            MissingInputError: the activation is not ReLU; the bound on rounding needs ReLU.
        """
        activation = self.results.run.config.model.activation
        if activation != "relu":
            raise MissingInputError(
                f"needs a model of ReLUs: run {self.results.run.name} has {activation}, whose "
                "rounding has no bound here"
            )
        return certify_run(self.results.run, self.results.epoch)

    def _follow(
        self, name: str, measure: Callable[[Parameters], Measured]
    ) -> Iterator[tuple[int, Measured]]:
        """(epoch, `measure` of its weights) of the snapshots that are followed."""
        self.results.need_snapshots()
        run, epochs = self.results.run, self.followed_epochs()
        for epoch in self.results.track(epochs, f"{name} in {run.name}", len(epochs)):
            yield epoch, measure(run.snapshots[epoch])

    def followed_epochs(self) -> list[int]:
        """Epochs of the snapshots that are followed: the first, the last, and log-spaced others."""
        epochs = sorted(self.results.run.snapshots)
        return log_spaced(epochs, self.followed) if self.followed else epochs
