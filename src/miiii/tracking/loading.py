"""Trackers by name: `tensorboard`, or `module:Class` for a class that a user writes."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from miiii.tracking.protocol import Factory

METHODS = ("started", "logged", "ended")


def load_trackers(text: str, option: str = "--track") -> tuple[Factory, ...]:
    """Factories of a run's trackers.

    Args:
        text: names separated by commas. `module:Class` is imported from the working directory too;
            the class is called without arguments.
        option: the command-line option that holds the text, for error messages.

    Raises:
        ValueError: a name is unknown, an extra is missing, or a class lacks a tracker's methods.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(_load(name, option) for name in names)


def _load(name: str, option: str) -> Factory:
    if name == "tensorboard":
        if find_spec("tensorboardX") is None:
            raise ValueError(f"{option} tensorboard needs an extra: pip install 'miiii[track]'")
        from miiii.tracking.tensorboard import TensorBoard

        return TensorBoard
    module, colon, attribute = name.partition(":")
    if not (colon and module and attribute):
        raise ValueError(f"{option} has {name!r}: expected tensorboard or module:Class")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        made: Any = getattr(import_module(module), attribute)
    except Exception as error:  # a user's module can raise any exception
        raise ValueError(f"{option} has {name!r}: it cannot be imported ({error})") from error
    missing = [method for method in METHODS if not callable(getattr(made, method, None))]
    if missing:
        raise ValueError(f"{option} has {name!r}: it lacks {', '.join(missing)}")
    return made
