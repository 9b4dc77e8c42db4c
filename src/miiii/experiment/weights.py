"""A stored run's weights, and the model's computations with them. It loads JAX; `run` does not."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from jaxtyping import Array
from numpy.typing import NDArray

from miiii.analysis.checks import chosen_numbers
from miiii.config.config import Config
from miiii.experiment.batch import program_setting
from miiii.experiment.members import identity
from miiii.experiment.program import numerics, parameters_template
from miiii.model.activations import Activations, check_names
from miiii.model.intervention import Intervention, intervene
from miiii.model.parameters import Parameters
from miiii.model.transformer import forward, named_activations
from miiii.runs.directory import RunDirectory
from miiii.runs.tensors import check_expected
from miiii.tasks.dataset import Dataset
from miiii.training.state import expected_arrays, from_arrays, model_arrays
from miiii.training.step import Setting


class StoredWeights:
    """Reads the weights of one run, and computes the model with them, as `Run` documents."""

    def __init__(self, directory: RunDirectory, config: Config) -> None:
        self._directory, self._config = directory, config

    @cached_property
    def _setting(self) -> Setting:
        return program_setting([self._config])

    @cached_property
    def _template(self) -> Parameters:
        with numerics(self._setting):
            return parameters_template(self._setting)

    @cached_property
    def _expected(self) -> dict[str, tuple[tuple[int, ...], str]]:
        return expected_arrays(self._template)

    def snapshot_arrays(self, epoch: int) -> dict[str, NDArray[Any]]:
        """The weights of a snapshot by name; their shapes and dtypes are checked."""
        return self._directory.load_snapshot(epoch, self._expected, identity(self._config))[0]

    def of_snapshot(self, epoch: int) -> Parameters:
        """The weights of a snapshot."""
        return from_arrays(self._template, self.snapshot_arrays(epoch))

    def of_newest_checkpoint(self, *, raw: bool) -> Parameters:
        """The weights of the newest checkpoint that can be read: the average, or the raw ones."""
        # The optimiser's state is not checked, so that reading needs no optimiser.
        loaded = self._directory.load_checkpoint(None, None, identity(self._config))
        arrays = model_arrays(loaded.arrays, raw=raw)
        check_expected(self._directory.checkpoint_path(loaded.epoch), arrays, self._expected)
        return from_arrays(self._template, arrays)

    def activations(
        self,
        weights: Parameters,
        dataset: Dataset,
        numbers: NDArray[Any] | None,
        names: Sequence[str] | None,
    ) -> Activations | dict[str, Array]:
        """As `Run.activations`, for given weights."""
        wanted = (names,) if isinstance(names, str) else names
        check_names(wanted or ())
        chosen = chosen_numbers(numbers, len(dataset.digits))
        digits: Any = dataset.digits[chosen]
        with numerics(self._setting):
            if wanted is None:
                return forward(weights, digits)[1]
            kept = named_activations(weights, digits, tuple(wanted))
        return dict(zip(wanted, kept, strict=True))

    def ablate(
        self, weights: Parameters, dataset: Dataset, interventions: Sequence[Intervention]
    ) -> Array:
        """As `Run.ablate`, for given weights."""
        with numerics(self._setting):
            return intervene(weights, dataset.digits, *interventions)[0]
