"""miiii, the laboratory for multi-task grokking.

Each public name below is imported when it is first used, so that `import miiii` and `miiii --help`
stay fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from miiii.config.config import Config, from_toml, replace_fields, to_toml
    from miiii.config.own_labels import with_labels
    from miiii.config.own_split import with_split
    from miiii.config.presets import PRESETS, get_preset
    from miiii.experiment.branching import Origin
    from miiii.experiment.estimating import estimate
    from miiii.experiment.run import Run, load_run
    from miiii.experiment.training import Outcome, resume, start
    from miiii.optim.own import register_optimiser
    from miiii.results.from_activations import from_activations
    from miiii.results.recorded_model import RecordedModel
    from miiii.runs.errors import RunError, RunWarning
    from miiii.runs.measured import History
    from miiii.tasks.notes import TaskWarning
    from miiii.tasks.numbers import digits

__version__ = "0.1.0"

_HOMES = {
    "Config": "miiii.config.config",
    "History": "miiii.runs.measured",
    "Origin": "miiii.experiment.branching",
    "Outcome": "miiii.experiment.training",
    "PRESETS": "miiii.config.presets",
    "Run": "miiii.experiment.run",
    "RecordedModel": "miiii.results.recorded_model",
    "RunError": "miiii.runs.errors",
    "RunWarning": "miiii.runs.errors",
    "TaskWarning": "miiii.tasks.notes",
    "digits": "miiii.tasks.numbers",
    "estimate": "miiii.experiment.estimating",
    "from_activations": "miiii.results.from_activations",
    "from_toml": "miiii.config.config",
    "get_preset": "miiii.config.presets",
    "load_run": "miiii.experiment.run",
    "register_optimiser": "miiii.optim.own",
    "replace_fields": "miiii.config.config",
    "resume": "miiii.experiment.training",
    "start": "miiii.experiment.training",
    "to_toml": "miiii.config.config",
    "with_labels": "miiii.config.own_labels",
    "with_split": "miiii.config.own_split",
}

__all__ = [
    "PRESETS",
    "Config",
    "History",
    "Origin",
    "Outcome",
    "RecordedModel",
    "Run",
    "RunError",
    "RunWarning",
    "TaskWarning",
    "__version__",
    "digits",
    "estimate",
    "from_activations",
    "from_toml",
    "get_preset",
    "load_run",
    "register_optimiser",
    "replace_fields",
    "resume",
    "start",
    "to_toml",
    "with_labels",
    "with_split",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'miiii' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
