"""Which runs may share a compiled program."""

from miiii.config.config import Config, replace_fields

BATCHED_FIELDS = (
    "seed",
    "data_seed",
    "masked_tasks",
    "learning_rate",
    "weight_decay",
    "filter_strength",
    "dropout",
)
"""Fields in which runs of one batch may differ. T_basis and T_miiii may share a batch as well."""


def shape(config: Config) -> Config:
    """The settings that runs of one batch share; runs of equal shape may train together."""
    plain = Config()
    parts = (plain, plain.task, plain.model, plain.optim, plain.training)
    defaults = {
        name: next(getattr(part, name) for part in parts if hasattr(part, name))
        for name in BATCHED_FIELDS
    }
    task = "miiii" if config.task.task == "basis" else config.task.task
    return replace_fields(config, **defaults, task=task)
