"""The analysis of a model of any kind that is given by its activations.

Each method calls the analysis that runs use, with the arrays that it needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii import markup
from miiii.analysis.circuits.attribution import Attribution, attribute
from miiii.analysis.circuits.causal import CausalMatrix, harmonic_removal, neuron_removal
from miiii.analysis.circuits.matching import MatchedNeurons, match_neurons
from miiii.analysis.circuits.number_spectrum import NumberSpectrum, number_spectrum
from miiii.analysis.circuits.removal import Readout
from miiii.analysis.circuits.serving import ServedTasks, served_tasks
from miiii.analysis.dynamics.trigonometric import (
    KeyFrequencies,
    Trigonometric,
    frequencies_of_neurons,
    trigonometric_of_logits,
)
from miiii.analysis.harmonics.digit_split import split_digits
from miiii.analysis.harmonics.task_harmonics import FloatArray, FunctionSubspace
from miiii.analysis.parts.calibration import DRAWS, CalibratedSpectrum, calibrated_spectrum
from miiii.analysis.parts.concentration import (
    NeuronExamples,
    Periodicity,
    Rule,
    neuron_examples,
    periodicity,
)
from miiii.analysis.parts.neurons import NeuronGrids, NeuronSpectra, neuron_spectra
from miiii.analysis.parts.significance import MULTIPLE
from miiii.analysis.parts.singular import SingularSpectrum, singular_spectrum
from miiii.analysis.recording import to_grid
from miiii.analysis.scoring import TaskScores, margins, score_tasks
from miiii.refusals import check_choice
from miiii.tasks.dataset import Dataset


@dataclass(frozen=True, eq=False)
class RecordedModel:
    """A model's logits and hidden layers on all p² inputs; `miiii.from_activations` makes it.

    Rows are in the order n = x0 + p·x1. Arrays are read-only.

    Attributes:
        dataset: digits, targets [p², N], moduli and class sizes [N], and the split.
        logits: [p², V], all tasks' classes side by side.
        layers: hidden layers by name, each [p², F].
        readouts: by layer, [F, V]: what each of its features adds to each logit.
        embeddings: tables of the digits by name, each [p, D].
    """

    dataset: Dataset
    logits: NDArray[np.floating]
    layers: Mapping[str, NDArray[np.floating]]
    readouts: Mapping[str, NDArray[np.floating]]
    embeddings: Mapping[str, NDArray[np.floating]]

    @property
    def base(self) -> int:
        """P."""
        return round(len(self.logits) ** 0.5)

    @property
    def moduli(self) -> tuple[int, ...]:
        """[N]: the numbers by which tasks are called."""
        return self.dataset.moduli

    @property
    def remainders(self) -> bool:
        """Whether every task is n mod q."""
        numbers = np.arange(self.base**2)[:, None]
        return np.array_equal(self.dataset.targets, numbers % np.array(self.moduli))

    def layer(self, name: str) -> NDArray[np.floating]:
        """[p², F]: a hidden layer.

        Raises:
            ValueError: it was not given.
        """
        check_choice("layer", name, list(self.layers))
        return self.layers[name]

    # Answers.

    def score(self, logits: ArrayLike) -> TaskScores:
        """Loss and accuracy [N] of other logits [p², V], such as those after a removal."""
        return score_tasks(logits, self.dataset.targets, self.dataset.class_sizes)

    @cached_property
    def scores(self) -> TaskScores:
        """Loss and accuracy [N] on all p² inputs."""
        return self.score(self.logits)

    @cached_property
    def margins(self) -> FloatArray:
        """[p², N]: the right logit minus the largest other one; at most 0 where wrong."""
        return margins(self.logits, self.dataset.targets, self.dataset.class_sizes)

    def trigonometric(self, frequencies: Sequence[int]) -> Trigonometric:
        """Restricted, excluded and trigonometric loss of addition by its key frequencies.

        Raises:
            ValueError: the task is another, or a frequency is outside.
        """
        return trigonometric_of_logits(self.logits, self.dataset, frequencies)

    # A layer on the grid of the two digits.

    def grids(self, layer: str) -> NDArray[np.floating]:
        """[F, x1, x0]: every feature of a layer on the grid."""
        return to_grid(self.layer(layer), self.base)

    def spectra(self, layer: str) -> NeuronSpectra:
        """Each feature's variance on each pair of frequencies."""
        return neuron_spectra(self.grids(layer))

    def calibrated_spectrum(
        self, layer: str, multiple: float = MULTIPLE, *, draws: int = DRAWS, seed: int = 0
    ) -> CalibratedSpectrum:
        """The layer's mean spectrum, and that of its renamings of the digits."""
        return calibrated_spectrum(self.grids(layer), multiple, draws=draws, seed=seed)

    def periodicity(
        self, layer: str, count: int = 5, *, draws: int = 5, seed: int = 0
    ) -> Periodicity:
        """Share of each feature's variance in its `count` strongest pairs of frequencies."""
        return periodicity(self.grids(layer), count, draws=draws, seed=seed)

    def key_frequencies(self, layer: str, threshold: float = 0.85) -> KeyFrequencies:
        """The frequency that explains each feature best (Nanda et al. 2023)."""
        return frequencies_of_neurons(self.spectra(layer), threshold)

    def examples(
        self, layer: str, examples: int = 4, *, count: int = 5, rule: Rule = "ranks"
    ) -> NeuronExamples:
        """A few features picked by rank of concentration, for `figures.neurons.neuron_grids`."""
        grids = NeuronGrids(self.base, self.grids(layer), self.grids(layer))
        chosen = neuron_examples(grids, "mlp_hidden", examples, count=count, rule=rule)
        return replace(chosen, layer=layer)

    # A layer on the number line.

    def number_spectrum(
        self, layer: str, *, moduli: Sequence[int] | None = None, both_digits: bool = False
    ) -> NumberSpectrum:
        """The spectrum over n of all features together.

        Args:
            layer: name of the layer.
            moduli: q of the harmonics k/q that are listed; default: the tasks'.
            both_digits: leave out the part that one digit explains.

        Raises:
            ValueError: the layer is unknown, or the tasks are not n mod q and moduli are missing.
        """
        chosen = self._harmonic_moduli(moduli)
        return number_spectrum(self.layer(layer), self.base, chosen, both_digits=both_digits)

    def attribution(self, layer: str, *, moduli: Sequence[int] | None = None) -> Attribution:
        """Shares of each feature's variance on the harmonics k/q (see `number_spectrum`)."""
        return attribute(self.layer(layer), self.base, self._harmonic_moduli(moduli))

    def matched(
        self, layer: str, *, moduli: Sequence[int] | None = None, draws: int = 20, seed: int = 0
    ) -> MatchedNeurons:
        """Each feature's task by the frequencies of its two digits: for a layer before its ReLU."""
        chosen = self._harmonic_moduli(moduli)
        return match_neurons(self.layer(layer), self.base, chosen, draws=draws, seed=seed)

    def served(
        self, layer: str, *, moduli: Sequence[int] | None = None, draws: int = 5, seed: int = 0
    ) -> ServedTasks:
        """The tasks whose harmonics each feature of a layer after its ReLU holds beyond chance."""
        chosen = self._harmonic_moduli(moduli)
        return served_tasks(self.layer(layer), self.base, chosen, draws=draws, seed=seed)

    # Singular values.

    def singular_spectrum(
        self, name: str, digit: int = 0, *, centred: bool = False, draws: int = 1000
    ) -> SingularSpectrum:
        """Singular values, and left vectors over the digits.

        Args:
            name: of an embedding; or of a layer, whose mean over the other digit is taken.
            digit: of a layer, 0 for x0 and 1 for x1.
            centred: whether the mean over the digits is subtracted first.
            draws: random vectors for the null of periodicity.

        Raises:
            ValueError: the name is unknown, or digit is not 0 or 1.
        """
        check_choice("name", name, [*self.embeddings, *self.layers])
        if digit not in (0, 1):
            raise ValueError(f"digit is {digit!r}: expected 0 for x0 or 1 for x1")
        if name in self.embeddings:
            table = self.embeddings[name]
        else:
            split = split_digits(self.layers[name], self.base)
            table = split.digits[digit] + split.mean
        return singular_spectrum(table, centred=centred, draws=draws)

    # Removal.

    def readout(self, layer: str) -> Readout:
        """A layer and its part in the logits, float64.

        Raises:
            ValueError: the layer is unknown or has no read-out.
        """
        values = np.asarray(self.layer(layer), np.float64)
        if layer not in self.readouts:
            known = ", ".join(self.readouts) or "none"
            raise ValueError(
                f"layer {layer!r} has no read-out: removal needs readouts[{layer!r}], [features, "
                f"classes] (given: {known})"
            )
        return Readout(
            self.base,
            values - values.mean(axis=0),
            np.asarray(self.readouts[layer], np.float64),
            np.ascontiguousarray(np.asarray(self.logits, np.float64).T),
        )

    def readout_share(self, layer: str) -> float:
        """Share of the logits' variance over the inputs that a layer's read-out explains.

        It is 1 where nothing else reaches the logits.
        """
        model = self.readout(layer)
        whole = model.logits - model.logits.mean(axis=1, keepdims=True)
        total = float((whole**2).sum())
        left = float(((whole - model.contribution().T) ** 2).sum())
        return 1 - left / total if total > 0 else float("nan")

    def without_neurons(self, layer: str, neurons: ArrayLike) -> FloatArray:
        """[p², V]: the logits with some features of a layer at their mean over the inputs.

        Args:
            layer: with a read-out.
            neurons: indices of features.

        Raises:
            ValueError: the layer has no read-out, or no such feature.
        """
        model = self.readout(layer)
        chosen = np.unique(np.asarray(neurons, np.int64))
        count = model.hidden.shape[1]
        if chosen.size and not 0 <= chosen[0] <= chosen[-1] < count:
            raise ValueError(f"neurons have one outside: expected 0 to {count - 1}")
        return model.logits.T - model.hidden[:, chosen] @ model.weights[chosen]

    def without_functions(self, layer: str, subspace: FunctionSubspace) -> FloatArray:
        """[p², V]: the logits with a set of functions of n removed from every feature of a layer.

        Args:
            layer: with a read-out.
            subspace: such as `task_harmonics(p, q)`, or `sum_harmonics(p, frequencies)` of
                addition.
        """
        model = self.readout(layer)
        return model.logits.T - subspace.project(model.hidden) @ model.weights

    def neuron_removal(
        self,
        layer: str,
        groups: Sequence[ArrayLike],
        *,
        draws: int = 10,
        seed: int = 0,
        numbers: ArrayLike | None = None,
    ) -> CausalMatrix:
        """Scores of all tasks without each task's features, beside random ones of equal number.

        Args:
            layer: with a read-out.
            groups: [N], the features of each task, such as `matched(before).groups()`.
            draws: control draws.
            seed: of the controls.
            numbers: to score; default: all p².

        Raises:
            ValueError: the layer has no read-out, or the groups are not one per task.
        """
        model = self.readout(layer)
        return neuron_removal(model, self.dataset, groups, draws=draws, seed=seed, numbers=numbers)

    def harmonic_removal(
        self, layer: str, *, draws: int = 10, seed: int = 0, numbers: ArrayLike | None = None
    ) -> CausalMatrix:
        """Scores of all tasks without each task's harmonics, beside random subspaces.

        Raises:
            ValueError: the layer has no read-out, or the tasks are not n mod q.
        """
        self._harmonic_moduli(None)
        model = self.readout(layer)
        return harmonic_removal(model, self.dataset, draws=draws, seed=seed, numbers=numbers)

    def _harmonic_moduli(self, moduli: Sequence[int] | None) -> tuple[int, ...]:
        if moduli is not None:
            return tuple(int(each) for each in moduli)
        if not self.remainders:
            raise ValueError(
                f"the tasks {', '.join(map(str, self.moduli))} are not n mod q, so that harmonics "
                "k/q of n mean nothing to them: give moduli to look for some all the same, or use "
                "key_frequencies for addition"
            )
        return self.moduli

    def _repr_html_(self) -> str:
        """A table of the tasks and one of the layers."""
        wrong = (self.margins <= 0).sum(axis=0)
        tasks = [
            (modulus, size, f"{accuracy:.4f}", f"{count:,}", f"{least:.4g}")
            for modulus, size, accuracy, count, least in zip(
                self.moduli,
                self.dataset.class_sizes,
                self.scores.accuracy,
                wrong,
                self.margins.min(axis=0),
                strict=True,
            )
        ]
        layers = [
            (
                name,
                values.shape[1],
                f"{self.readout_share(name):.4f}" if name in self.readouts else "–",
            )
            for name, values in self.layers.items()
        ]
        note = f"{self.base**2:,} inputs of two digits below {self.base}"
        head = ("task", "classes", "accuracy", "wrong", "smallest margin")
        shown = markup.heading("Recorded model", note) + markup.table(head, tasks)
        if layers:
            shown += markup.table(("layer", "features", "of the logits by its read-out"), layers)
        return shown
