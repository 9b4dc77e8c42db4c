"""Trackers by name: `tensorboard`, or `module:Class` for a class that a user writes."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from miiii.tracking.protocol import Factory

METHODS = ("started", "logged", "ended")


def load_trackers(text: str, option: str = "--track") -> tuple[Factory, ...]:
    """What makes the trackers of a run.

    Args:
        text: names separated by commas; `module:Class` is looked for in the working directory too,
            and called without arguments.
        option: where the text comes from, for the message.

    Raises:
        ValueError: an unknown name, a missing extra, or something that is no tracker.
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
    except Exception as error:  # whatever somebody else's module raises
        raise ValueError(f"{option} has {name!r}: it cannot be imported ({error})") from error
    missing = [method for method in METHODS if not callable(getattr(made, method, None))]
    if missing:
        raise ValueError(f"{option} has {name!r}: it lacks {', '.join(missing)}")
    return made
