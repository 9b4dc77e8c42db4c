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
"""What runs of one batch may differ in; T_basis and T_miiii may share one as well."""


def shape(config: Config) -> Config:
    """What runs of one batch have in common; equal shapes may train together."""
    plain = Config()
    parts = (plain, plain.task, plain.model, plain.optim, plain.training)
    defaults = {
        name: next(getattr(part, name) for part in parts if hasattr(part, name))
        for name in BATCHED_FIELDS
    }
    task = "miiii" if config.task.task == "basis" else config.task.task
    return replace_fields(config, **defaults, task=task)
