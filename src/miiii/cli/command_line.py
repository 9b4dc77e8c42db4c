"""The command line that trains a given configuration."""

from typing import Any

from miiii.config.config import Config, differences
from miiii.config.presets import PRESETS


def train_words(config: Config) -> list[str]:
    """The words of `miiii train` for exactly this configuration.

    They name the preset with the fewest differences, and an option for each difference.
    """
    changes = {name: differences(config, preset.config) for name, preset in PRESETS.items()}
    nearest = min(changes, key=lambda name: len(changes[name]))
    words = ["miiii", "train", "--preset", nearest]
    for name, (value, _) in changes[nearest].items():
        words += _option(name, value)
    return words


def _option(name: str, value: Any) -> list[str]:
    option = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [option if value else f"--no-{option[2:]}"]
    if isinstance(value, tuple):
        return [option, *map(str, value)]
    return [option, str(value)]
