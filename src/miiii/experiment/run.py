"""A stored run, opened for reading: what analysis, figures and people work with."""

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
    # JAX is loaded with the weights: a run's settings, state and history are read without it.
    from jaxtyping import Array

    from miiii.experiment.weights import StoredWeights
    from miiii.model.activations import Activations
    from miiii.model.intervention import Intervention
    from miiii.model.parameters import Parameters

_SHOWING = "miiii.results.notebook"
"""Imported by name when a notebook asks, because it imports what draws."""


class Snapshots(Mapping[int, "Parameters"]):
    """The weights through training: epoch to parameters, read when asked for."""

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
    """A run directory with its configuration. Everything else is read when asked for."""

    directory: RunDirectory
    config: Config
    raw: bool = False
    """Whether weights and validation are the raw ones, where the run keeps an average of them."""

    def with_raw_weights(self) -> Run:
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
        drawn = build_dataset(self.config.task, self.config.seed)
        own = read_split(self.path, drawn.answered)
        return drawn if own is None else replace(drawn, split=Split(**own))

    @cached_property
    def history(self) -> History:
        """What was measured at every epoch.

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
            RunError: the raw weights are wanted, and went with the checkpoints.
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
        self,
        numbers: NDArray[Any] | None = None,
        *,
        epoch: int | None = None,
        names: Sequence[str],
    ) -> dict[str, Array]: ...

    def activations(
        self,
        numbers: NDArray[Any] | None = None,
        *,
        epoch: int | None = None,
        names: Sequence[str] | None = None,
    ) -> Activations | dict[str, Array]:
        """What happens inside the model, dropout off.

        Args:
            numbers: [B] in 0 … p² − 1; default: all of them, in order.
            epoch: of a snapshot; default: the latest weights.
            names: among `model.activations.NAMES`, such as ("mlp_hidden", "logits"): only these
                are kept, which at a large base is a fraction of the memory.

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
        return self.stored_weights.ablate(weights, self.dataset, interventions)

    def _repr_html_(self) -> str:
        return import_module(_SHOWING).run_html(self)

    @cached_property
    def stored_weights(self) -> StoredWeights:
        """Reads the weights; loads JAX."""
        from miiii.experiment.weights import StoredWeights

        return StoredWeights(self.directory, self.config)


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
