"""A stored run, opened for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import NDArray

from miiii.config.config import Config
from miiii.experiment.history import stored_history
from miiii.experiment.members import stored_config
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError, RunError
from miiii.runs.listing import live_state, summarize
from miiii.runs.measured import History
from miiii.runs.splits import read_split
from miiii.tasks.dataset import Dataset, build_dataset
from miiii.tasks.splits import Split

if TYPE_CHECKING:
    # Only weights load JAX: a run's settings, status and history are read without it.
    from jaxtyping import Array

    from miiii.experiment.weights import StoredWeights
    from miiii.model.activations import Activations
    from miiii.model.intervention import Intervention
    from miiii.model.parameters import Parameters

_SHOWING = "miiii.results.notebook"
"""Imported by name when a notebook shows a run, because this room may not import it."""


class Snapshots(Mapping[int, "Parameters"]):
    """The weights through training: from epoch to parameters, read on demand."""

    def __init__(self, run: Run) -> None:
        self._run = run
        averaged = bool(run.config.training.average_weights)
        self._epochs = [] if averaged and run.raw else run.directory.snapshot_epochs()

    def __getitem__(self, epoch: int) -> Parameters:
        if epoch not in self._epochs:
            raise KeyError(f"no snapshot of epoch {epoch}; there are {self._epochs}")
        return self._run.stored_weights.of_snapshot(epoch)

    def __iter__(self) -> Iterator[int]:
        return iter(self._epochs)

    def __len__(self) -> int:
        return len(self._epochs)


@dataclass(frozen=True)
class Run:
    """A run directory with its configuration. Everything else is read on demand."""

    directory: RunDirectory
    config: Config
    raw: bool = False
    """Whether to give the raw weights and their validation, where the run keeps an average."""

    def with_raw_weights(self) -> Run:
        """The same run with its raw weights, which its checkpoints hold; it then has no snapshots.

        A run that keeps no average is unchanged: its weights are the raw ones.
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
        """State (`killed` where no process trains an unfinished run), epoch and a summary."""
        status = self.directory.status
        return {**status, "state": live_state(summarize(self.path))} if status else status

    @property
    def provenance(self) -> dict[str, Any]:
        """Versions, device, command and revision that produced the numbers."""
        return self.directory.provenance

    @cached_property
    def dataset(self) -> Dataset:
        """All numbers with their targets, and the split.

        Raises:
            DamagedFileError: the run's own split cannot be read.
        """
        drawn = build_dataset(self.config.task, self.config.seed)
        own = read_split(self.path, drawn.answered)
        return drawn if own is None else replace(drawn, split=Split(**own))

    @cached_property
    def history(self) -> History:
        """The measurements of every epoch.

        Raises:
            DamagedFileError: a file of the history cannot be read.
        """
        history = stored_history(self.directory, self.config)
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
            RunError: the raw weights were removed with the checkpoints.
        """
        if self.directory.checkpoint_epochs():
            return self.stored_weights.of_newest_checkpoint(raw=self.raw)
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

    @overload
    def activations(
        self, numbers: NDArray[Any] | None = None, *, epoch: int | None = None
    ) -> Activations: ...

    @overload
    def activations(
        self, numbers: NDArray[Any] | None = None, *, epoch: int | None = None, names: Sequence[str]
    ) -> dict[str, Array]: ...

    def activations(
        self,
        numbers: NDArray[Any] | None = None,
        *,
        epoch: int | None = None,
        names: Sequence[str] | None = None,
    ) -> Activations | dict[str, Array]:
        """The activations of the model, dropout off.

        Args:
            numbers: [B] in 0 … p² − 1; default: all of them, in order.
            epoch: of a snapshot; default: the latest weights.
            names: activations to keep, among `model.activations.NAMES`, such as
                ("mlp_hidden", "logits"); at a large base they take a fraction of the memory.

        Returns:
            All activations, or by name those of `names`, each [B, …].

        Raises:
            ValueError: a number outside the domain, or an unknown name (the nearest is given).
            KeyError: no snapshot of that epoch.
        """
        weights = self.parameters if epoch is None else self.snapshots[epoch]
        return self.stored_weights.activations(weights, self.dataset, numbers, names)

    def ablate(self, *interventions: Intervention, epoch: int | None = None) -> Array:
        """The logits on all numbers with some activations changed, dropout off.

        Args:
            interventions: applied together, such as `analysis.circuits.ablation.remove_heads([2])`;
                without any the logits are unchanged to the bit.
            epoch: of a snapshot; default: the latest weights.

        Returns:
            [p², V], in order of the numbers.

        Raises:
            ValueError: an intervention does not fit the model.
            KeyError: no snapshot of that epoch.
        """
        weights = self.parameters if epoch is None else self.snapshots[epoch]
        return self.stored_weights.ablate(weights, self.dataset, interventions)

    def _repr_html_(self) -> str:
        return import_module(_SHOWING).run_html(self)

    @cached_property
    def stored_weights(self) -> StoredWeights:
        """The reader of the weights, which loads JAX."""
        from miiii.experiment.weights import StoredWeights

        return StoredWeights(self.directory, self.config)


def load_run(path: str | Path, runs_dir: str | Path = "runs") -> Run:
    """Open a run for reading.

    Args:
        path: a run directory, or a run's name in `runs_dir`.
        runs_dir: the directory in which names are looked up.

    Raises:
        RunNotFoundError: no such run; the message gives the nearest name.
        DamagedFileError: its configuration, labels or split cannot be read.
    """
    directory = RunDirectory.open(Path(runs_dir), path)
    return Run(directory, stored_config(directory))
