"""The certificate: the tasks that a model provably answers right on the whole domain.

A task's margin at n is the right logit minus the largest other one, computed in float64. If it
exceeds a bound on the rounding errors of these logits, the exact network (the stored weights in
real arithmetic) answers n right. A task for which this holds at every n is certified.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.certificate.arithmetic import (
    ARITHMETICS,
    FLOAT64,
    Enclosed,
    FloatArray,
    outward,
)
from miiii.analysis.certificate.forward import Network
from miiii.analysis.certificate.structure import StructuralForm, structural_form
from miiii.analysis.checks import finite
from miiii.markup import heading, table
from miiii.model.config import PAPER, Architecture

Progress = Callable[[str, int, int], None]
"""Called with a unit's name, how many are done and how many there are."""


@dataclass(frozen=True)
class TaskCertificate:
    """One head on every number n = 0 … p² − 1."""

    modulus: int
    """q."""
    right: NDArray[np.int64]
    """[p²]: the right class; −1 where a number has no answer, and is left out."""
    predicted: NDArray[np.int64]
    """[p²]: the class of the largest logit; if the right one and another are equal, the other."""
    margin: FloatArray
    """[p²]: right logit minus the largest other one, in float64; at most 0 where the answer is
    wrong, NaN where there is none."""
    bounds: tuple[FloatArray, ...]
    """Per arithmetic [p²]: a margin above it is positive in the exact network (first), and also in
    the network evaluated in that arithmetic (the others). Infinite where there is no bound, NaN
    where there is no answer."""
    structure: StructuralForm | None
    """By residue classes; None where the targets are no function of n mod q."""

    @cached_property
    def answered(self) -> NDArray[np.intp]:
        """The numbers that have an answer, ascending."""
        return np.flatnonzero(self.right >= 0)

    @cached_property
    def wrong(self) -> NDArray[np.intp]:
        """The numbers that are answered wrong, ascending."""
        return np.flatnonzero(self.margin <= 0)

    @property
    def proved_wrong(self) -> NDArray[np.bool_]:
        """For each wrong number, whether the exact network is proved to answer it wrong."""
        return -self.margin[self.wrong] > self.bounds[0][self.wrong]

    @property
    def hardest(self) -> int:
        """The number of the smallest margin."""
        return int(np.nanargmin(self.margin))

    @property
    def smallest_margin(self) -> float:
        """Over all numbers, in units of logits."""
        return float(self.margin[self.answered].min())

    def largest_bound(self, which: int = 0) -> float:
        """Over all numbers, in units of logits, for the chosen arithmetic."""
        return float(self.bounds[which][self.answered].max())

    def certified(self, which: int = 0) -> bool:
        """Whether every number is proved to be answered right by the exact network.

        Args:
            which: for an arithmetic other than the first, by every evaluation in it too.
        """
        return bool((self.margin > self.bounds[which])[self.answered].all())


@dataclass(frozen=True)
class Certificate:
    """All heads of a model on the whole domain."""

    base: int
    """p."""
    tasks: tuple[TaskCertificate, ...]
    """One per task, in the model's order."""
    largest_error: tuple[float, ...]
    """Per arithmetic, the largest bound on any logit's rounding error."""

    @property
    def numbers(self) -> int:
        """How many numbers have an answer: p², unless some are labelled −1."""
        return len(self.tasks[0].answered)

    @property
    def certified(self) -> bool:
        """Whether every task is."""
        return all(task.certified() for task in self.tasks)

    def _repr_html_(self) -> str:
        """A row per task."""
        rows = [
            (
                task.modulus,
                f"{len(task.wrong):,}",
                f"{task.smallest_margin:.4g}",
                f"{task.largest_bound():.2g}",
                "yes" if task.certified() else "no",
            )
            for task in self.tasks
        ]
        done = sum(task.certified() for task in self.tasks)
        note = f"{done} of {len(rows)} tasks on all {self.numbers:,} numbers"
        head = ("task", "wrong", "smallest margin", "bound on rounding", "certified")
        return heading("Certificate", note) + table(head, rows)


def certify(
    weights: Mapping[str, ArrayLike],
    targets: ArrayLike,
    moduli: Sequence[int],
    class_sizes: Sequence[int],
    *,
    residues: bool = True,
    architecture: Architecture = PAPER,
    progress: Progress | None = None,
) -> Certificate:
    """Evaluate every head on every number, with bounds on the rounding error.

    Args:
        weights: every weight by name, such as `results.Results.weights` or the arrays of an
            exported .npz; float32 or float64.
        targets: [p², N], the right classes; −1 where a number has no answer.
        moduli: [N].
        class_sizes: [N], classes of each head; together V.
        residues: whether targets are functions of n mod q, so that the structural form applies.
        architecture: the settings that the weights' shapes do not show (`Parameters.architecture`).
        progress: called with the number of inputs done.

    Raises:
        ValueError: shapes do not match, a weight is not finite, the logits overflow, a sum is too
            long to be bounded, or the activation is not ReLU.
    """
    finite_weights = {name: finite(f"weight {name}", w, None) for name, w in weights.items()}
    network = Network(finite_weights, architecture)
    labels = np.asarray(targets, np.int64)
    numbers, outputs = network.base**2, network.unembedding.value.shape[1]
    if labels.shape != (numbers, len(class_sizes)) or sum(class_sizes) != outputs:
        raise ValueError(
            f"targets have shape {labels.shape} and classes {tuple(class_sizes)}: expected "
            f"[{numbers}, {len(class_sizes)}] and {outputs} classes for these weights"
        )
    cuts = np.cumsum([0, *class_sizes])
    heads = [slice(first, last) for first, last in itertools.pairwise(cuts)]
    kept = np.empty((numbers, outputs)) if residues else None
    largest = np.zeros((len(heads), len(ARITHMETICS)))
    parts: list[list[_Part]] = [[] for _ in heads]
    done = 0
    for logits in network.logits():
        finite("logits", logits.value)
        rows = slice(done, done + len(logits.value))
        for index, head in enumerate(heads):
            parts[index].append(_margins(logits[:, head], labels[rows, index]))
            errors = [error[:, head].max() for error in logits.errors]
            largest[index] = np.maximum(largest[index], errors)
        if kept is not None:
            kept[rows] = logits.value
        done = rows.stop
        if progress is not None:
            progress("numbers", done, numbers)
    tasks = []
    for index, modulus in enumerate(moduli):
        right, structure = labels[:, index], None
        if kept is not None and modulus < numbers:
            error = float(largest[index, 0])
            structure = structural_form(kept[:, heads[index]], error, right, modulus)
        joined = (np.concatenate(part) for part in zip(*parts[index], strict=True))
        predicted, margin, *bounds = joined
        tasks.append(TaskCertificate(modulus, right, predicted, margin, tuple(bounds), structure))
    return Certificate(network.base, tuple(tasks), tuple(largest.max(axis=0).tolist()))


_Part = tuple[NDArray[Any], ...]
"""Of some numbers: class predicted, margin, and a bound per arithmetic."""


def _margins(logits: Enclosed, right: NDArray[np.int64]) -> _Part:
    rows = np.arange(len(right))
    others = logits.value.copy()
    others[rows, right] = -np.inf
    best = others.argmax(axis=1)
    margin = logits.value[rows, right] - others[rows, best]
    bounds = []
    for which, errors in enumerate(logits.errors):
        # A logit of another arithmetic differs from the exact one, and that from the float64 one.
        total = errors if which == 0 else errors + logits.errors[0]
        rest = total.copy()
        rest[rows, right] = 0
        # The largest other logit may be another one in another network, so the bound is for any.
        bound = total[rows, right] + rest.max(axis=1)
        bounds.append(outward(bound + FLOAT64.unit_roundoff * np.abs(margin), 6))
    predicted = np.where(margin > 0, right, best)
    if right.min(initial=0) < 0:
        for values in (margin, *bounds):
            values[right < 0] = np.nan
    return predicted, margin, *bounds
