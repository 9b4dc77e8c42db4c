"""A batch: runs that train together, because one compiled program can compute them."""

from collections.abc import Sequence
from dataclasses import dataclass

from miiii.config.config import Config, differences, replace_fields
from miiii.experiment.shape import shape
from miiii.tasks.dataset import Dataset, build_dataset, digest
from miiii.training.step import Setting


@dataclass(frozen=True)
class Batch:
    """Configurations that share one program, and their data."""

    configs: tuple[Config, ...]
    datasets: tuple[Dataset, ...]
    setting: Setting

    @property
    def split_hashes(self) -> tuple[str, ...]:
        """A digest of each run's split and targets, to compare the data of two runs."""
        return tuple(digest(dataset) for dataset in self.datasets)

    @property
    def task_names(self) -> list[str]:
        """The tasks' moduli as text."""
        return [str(modulus) for modulus in self.datasets[0].moduli]


def make_batch(configs: Sequence[Config]) -> Batch:
    """Check that configurations can share a program, and make their data.

    Raises:
        ValueError: two differ in a field that shapes the program; the message names the field.
    """
    if not configs:
        raise ValueError("no configuration was given: a batch needs at least one run")
    first = configs[0]
    for other in configs[1:]:
        for name, (one, two) in differences(shape(first), shape(other)).items():
            raise ValueError(f"runs of one batch must agree on {name}: {one!r} and {two!r}")
    datasets = tuple(build_dataset(config.task, config.seed) for config in configs)
    return Batch(tuple(configs), datasets, program_setting(configs))


def program_setting(configs: Sequence[Config]) -> Setting:
    """The settings that shape the program of configurations that share one."""
    first, shaping = configs[0], _shaping(configs[0])
    return Setting(
        model=first.model,
        optim=shaping.optim,
        training=shaping.training,
        base=first.task.base,
        class_sizes=first.task.class_sizes,
        regression=first.task.is_regression,
        use_dropout=any(config.training.dropout > 0 for config in configs),
    )


def _shaping(config: Config) -> Config:
    """The configuration with constants for the settings that no program depends on."""
    return replace_fields(
        config,
        learning_rate=1.0,
        weight_decay=0.0,
        filter_strength=0.0,
        dropout=0.0,
        stop_when=0.0,
        stop_after=0,
        origin="",
        epochs=2**31 - 1,
        snapshots=0,
        checkpoint_seconds=1.0,
    )
