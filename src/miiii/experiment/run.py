"""A stored run, opened for reading: what analysis, figures and people work with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from miiii.config.config import Config
from miiii.experiment.batch import (
    Batch,
    examples_per_epoch,
    make_batch,
    numerics,
    parameters_template,
)
from miiii.experiment.members import identity, stored_config
from miiii.model.activations import Activations
from miiii.model.intervention import Intervention, intervene
from miiii.model.parameters import Parameters, weight_names
from miiii.model.transformer import forward
from miiii.runs.counts import counted, with_accuracies
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError, RunError
from miiii.runs.listing import live_state, summarize
from miiii.runs.splits import read_split
from miiii.runs.tensors import check_expected
from miiii.runs.thresholds import reached
from miiii.tasks.dataset import Dataset, Split
from miiii.training.state import expected_arrays, from_arrays, model_arrays

_SHOWING = "miiii.results.notebook"
"""Imported by name when a notebook asks, because it imports what draws."""

_MEASURED = (
    *("epoch", "train_loss", "train_accuracy", "train_examples", "gradient_norm"),
    *("validation_epoch", "validation_loss", "validation_accuracy", "validation_examples"),
)
"""The fields of `History` that a stored history has rows of."""

_RAW = ("validation_raw_loss", "validation_raw_accuracy")
"""What a history has besides where a run keeps an average of its weights."""


@dataclass(frozen=True)
class History:
    """What was measured through training.

    Losses are divided by ln q where the configuration says so, so that guessing costs 1. Training
    values are of the pass that made the update: before it, with dropout on. Validation is after the
    update, with dropout off.
    """

    moduli: tuple[int, ...]
    """N: the modulus of each column of losses and accuracies."""
    weight_names: tuple[str, ...]
    """W: the weight of each column of `gradient_norm`."""
    epoch: NDArray[np.int64]
    """[E], from 1."""
    train_loss: NDArray[Any]
    """[E, N]"""
    train_accuracy: NDArray[Any]
    """[E, N], shares of `train_examples`."""
    gradient_norm: NDArray[Any]
    """[E, W], L2, before the filter."""
    validation_epoch: NDArray[np.int64]
    """[M], the epochs that validated."""
    validation_loss: NDArray[Any]
    """[M, N]"""
    validation_accuracy: NDArray[Any]
    """[M, N], shares of `validation_examples`."""
    train_examples: NDArray[np.int64]
    """[E], how many numbers an epoch trained on."""
    validation_examples: NDArray[np.int64]
    """[M], how many numbers a validation asked."""
    validation_raw_loss: NDArray[Any] | None = None
    """[M, N], of the raw weights, in a run that keeps an average of them (`average_weights`): there
    `validation_loss` is of the average."""
    validation_raw_accuracy: NDArray[Any] | None = None
    """[M, N], of the raw weights, likewise."""

    def of_raw_weights(self) -> "History":
        """The same history, its validation that of the raw weights; itself where there is one."""
        if self.validation_raw_loss is None or self.validation_raw_accuracy is None:
            return self
        return replace(
            self,
            validation_loss=self.validation_raw_loss,
            validation_accuracy=self.validation_raw_accuracy,
            validation_raw_loss=None,
            validation_raw_accuracy=None,
        )

    def reached(self, accuracy: float) -> NDArray[np.bool_]:
        """Whether validation accuracies are at least `accuracy`, in right answers: [M, N]."""
        return reached(self.validation_accuracy, accuracy, self.validation_examples[:, None])

    @property
    def has_gradients(self) -> NDArray[np.bool_]:
        """[E], whether gradients were measured.

        An imported run has losses of epochs that it has no weights of.
        """
        return np.asarray(np.isfinite(self.gradient_norm).any(axis=1))

    def first_reached(self, accuracy: float, *, held: bool = False) -> dict[int, int | None]:
        """Per modulus the first epoch whose validation accuracy is at least `accuracy`.

        Args:
            accuracy: a share.
            held: whether it must stay there for good.

        Returns:
            None for a task that never reached it.
        """
        table = self.reached(accuracy)
        if held:
            table = np.logical_and.accumulate(table[::-1], axis=0)[::-1]
        return {
            modulus: int(self.validation_epoch[column.argmax()]) if column.any() else None
            for modulus, column in zip(self.moduli, table.T, strict=True)
        }

    def _repr_html_(self) -> str:
        return import_module(_SHOWING).history_html(self)

    def _repr_svg_(self) -> str | None:
        return import_module(_SHOWING).history_svg(self)


class Snapshots(Mapping[int, Parameters]):
    """The weights through training: epoch to parameters, read when asked for."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        averaged = bool(run.config.training.average_weights)
        self._epochs = [] if averaged and run.raw else run.directory.snapshot_epochs()

    def __getitem__(self, epoch: int) -> Parameters:
        if epoch not in self._epochs:
            raise KeyError(f"no snapshot of epoch {epoch}; there are {self._epochs}")
        arrays, _ = self._run.directory.load_snapshot(
            epoch, self._run._expected_parameters, identity(self._run.config)
        )
        return from_arrays(self._run._template, arrays)

    def __iter__(self) -> Iterator[int]:
        return iter(self._epochs)

    def __len__(self) -> int:
        return len(self._epochs)


@dataclass(frozen=True)
class Run:
    """A run directory with its configuration. Everything else is read when asked for."""

    directory: RunDirectory
    config: Config
    raw: bool = False
    """Whether weights and validation are the raw ones, where the run keeps an average of them."""

    def with_raw_weights(self) -> "Run":
        """The same run by its raw weights, which its checkpoints hold; it has no snapshots then.

        Of a run without an average its weights are the raw ones, and nothing changes.
        """
        return replace(self, raw=bool(self.config.training.average_weights))

    @property
    def name(self) -> str:
        """The run's name."""
        return self.directory.name

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    @property
    def status(self) -> dict[str, Any]:
        """State (as it is now: `killed` where nobody trains it any more), epoch and a summary."""
        status = self.directory.status
        return {**status, "state": live_state(summarize(self.path))} if status else status

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, device, command and revision that the numbers come from."""
        return self.directory.provenance

    @cached_property
    def dataset(self) -> Dataset:
        """All numbers with their targets, and the split.

        Raises:
            DamagedFileError: the run has a split of its own, which cannot be read.
        """
        drawn = self._batch.datasets[0]
        own = read_split(self.path, drawn.answered)
        return drawn if own is None else replace(drawn, split=Split(**own))

    @cached_property
    def history(self) -> History:
        """What was measured at every epoch.

        Raises:
            DamagedFileError: a file of the history cannot be read.
        """
        rows = self.directory.history()
        names = tuple(weight_names(self._template))
        if not rows:
            tasks = np.zeros((0, len(self.dataset.moduli)))
            none = np.zeros(0, np.int64)
            weights = np.zeros((0, len(names)))
            measured = (none, tasks, tasks, weights, none, tasks, tasks, none, none)
            return History(self.dataset.moduli, names, *measured)
        sizes = examples_per_epoch(replace(self._batch, datasets=(self.dataset,)))
        rows = with_accuracies(counted(rows, sizes))
        measured = {key: rows[key] for key in (*_MEASURED, *_RAW) if key in rows}
        history = History(self.dataset.moduli, names, **measured)
        return history.of_raw_weights() if self.raw else history

    @cached_property
    def snapshots(self) -> Snapshots:
        """The weights through training, by epoch."""
        return Snapshots(self)

    @cached_property
    def parameters(self) -> Parameters:
        """The latest weights: of the newest usable checkpoint, else of the last snapshot.

        Averaged where the run keeps an average, unless `raw`.

        Raises:
            DamagedFileError: neither can be read.
            RunError: the raw weights are wanted, and went with the checkpoints.
        """
        if self.directory.checkpoint_epochs():
            # The optimiser's state is passed over, so that nobody needs the optimiser to look.
            loaded = self.directory.load_checkpoint(None, None, identity(self.config))
            arrays = model_arrays(loaded.arrays, raw=self.raw)
            path = self.directory.checkpoint_path(loaded.epoch)
            check_expected(path, arrays, self._expected_parameters)
            return from_arrays(self._template, arrays)
        if len(self.snapshots):
            return self.snapshots[max(self.snapshots)]
        if self.raw:
            raise RunError(
                f"run {self.name} has no raw weights: its checkpoints were removed, and its "
                "snapshots are of the average"
            )
        raise DamagedFileError(
            self.path, "holds no weights yet: neither a checkpoint nor a snapshot was written"
        )

    def activations(
        self, numbers: NDArray[Any] | None = None, *, epoch: int | None = None
    ) -> Activations:
        """What happens inside the model, dropout off.

        Args:
            numbers: [B] in 0 … p² − 1; default: all of them, in order.
            epoch: of a snapshot; default: the latest weights.

        Raises:
            ValueError: a number outside the domain.
            KeyError: no snapshot of that epoch.
        """
        domain = len(self.dataset.digits)
        chosen = np.arange(domain) if numbers is None else np.asarray(numbers)
        if chosen.ndim != 1 or chosen.size == 0 or not np.issubdtype(chosen.dtype, np.integer):
            raise ValueError("numbers must be a list of whole numbers, at least one")
        if chosen.min() < 0 or chosen.max() >= domain:
            raise ValueError(
                f"numbers has {chosen.min() if chosen.min() < 0 else chosen.max()}: "
                f"each must be from 0 to p² − 1 = {domain - 1}"
            )
        weights = self.parameters if epoch is None else self.snapshots[epoch]
        with numerics(self._batch.setting):
            return forward(weights, self.dataset.digits[chosen])[1]  # pyright: ignore[reportArgumentType]

    def ablate(self, *interventions: Intervention, epoch: int | None = None) -> Array:
        """The logits on all numbers with some activations changed, dropout off.

        Args:
            interventions: applied together, such as `analysis.ablation.remove_heads([2])`; none
                changes no bit.
            epoch: of a snapshot; default: the latest weights.

        Returns:
            [p², V], in order of the numbers.

        Raises:
            ValueError: an intervention does not fit the model.
            KeyError: no snapshot of that epoch.
        """
        weights = self.parameters if epoch is None else self.snapshots[epoch]
        with numerics(self._batch.setting):
            return intervene(weights, self.dataset.digits, *interventions)[0]

    def _repr_html_(self) -> str:
        return import_module(_SHOWING).run_html(self)

    @cached_property
    def _batch(self) -> Batch:
        return make_batch([self.config])

    @cached_property
    def _template(self) -> Parameters:
        with numerics(self._batch.setting):
            return parameters_template(self._batch)

    @cached_property
    def _expected_parameters(self) -> Any:
        return expected_arrays(self._template)


def load_run(path: str | Path, runs_dir: str | Path = "runs") -> Run:
    """Open a run for reading.

    Args:
        path: a run directory, or a run's name in `runs_dir`.
        runs_dir: where names are looked up.

    Raises:
        RunNotFoundError: there is none; the nearest name is given.
        DamagedFileError: its configuration, or labels of its own, cannot be read.
    """
    directory = RunDirectory.open(Path(runs_dir), path)
    return Run(directory, stored_config(directory))
