"""miiii, the laboratory for multi-task grokking.

The names below are the public face; they are imported when first used, so that `import miiii` and
`miiii --help` stay quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from miiii.config import Config, from_toml, replace_fields, to_toml
    from miiii.custom import with_labels
    from miiii.experiment import Outcome, estimate, resume, start
    from miiii.optim.own import register_optimiser
    from miiii.presets import PRESETS, get_preset
    from miiii.recorded_model import RecordedModel
    from miiii.run import History, Run, load_run
    from miiii.runs.errors import RunError
    from miiii.taking_in import from_activations
    from miiii.tasks.numbers import digits

__version__ = "0.1.0"

_HOMES = {
    "Config": "miiii.config",
    "History": "miiii.run",
    "Outcome": "miiii.experiment",
    "PRESETS": "miiii.presets",
    "Run": "miiii.run",
    "RecordedModel": "miiii.recorded_model",
    "RunError": "miiii.runs.errors",
    "digits": "miiii.tasks.numbers",
    "estimate": "miiii.experiment",
    "from_activations": "miiii.taking_in",
    "from_toml": "miiii.config",
    "get_preset": "miiii.presets",
    "load_run": "miiii.run",
    "register_optimiser": "miiii.optim.own",
    "replace_fields": "miiii.config",
    "resume": "miiii.experiment",
    "start": "miiii.experiment",
    "to_toml": "miiii.config",
    "with_labels": "miiii.custom",
}

__all__ = [
    "PRESETS",
    "Config",
    "History",
    "Outcome",
    "RecordedModel",
    "Run",
    "RunError",
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
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'miiii' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
