"""A stored run, opened for reading: what analysis, figures and people work with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, overload

import numpy as np
from jaxtyping import Array
from numpy.typing import NDArray

from miiii.config.config import Config
from miiii.experiment.batch import (
    Batch,
    make_batch,
    numerics,
    parameters_template,
)
from miiii.experiment.history import stored_history
from miiii.experiment.members import identity, stored_config
from miiii.model.activations import Activations, check_names
from miiii.model.intervention import Intervention, intervene
from miiii.model.parameters import Parameters
from miiii.model.transformer import forward, named_activations
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError, RunError
from miiii.runs.listing import live_state, summarize
from miiii.runs.measured import History
from miiii.runs.splits import read_split
from miiii.runs.tensors import check_expected
from miiii.tasks.dataset import Dataset, Split
from miiii.training.state import expected_arrays, from_arrays, model_arrays

_SHOWING = "miiii.results.notebook"
"""Imported by name when a notebook asks, because it imports what draws."""


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
        wanted = (names,) if isinstance(names, str) else names
        check_names(wanted or ())
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
        digits: Any = self.dataset.digits[chosen]
        with numerics(self._batch.setting):
            if wanted is None:
                return forward(weights, digits)[1]
            kept = named_activations(weights, digits, tuple(wanted))
        return dict(zip(wanted, kept, strict=True))

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
