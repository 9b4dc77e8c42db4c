"""Optimisers that a user registers: a configuration says `own-lion`, a function makes it.

A name is registered in the process that trains. A run's directory holds only the name, so that no
code from a run directory is ever executed.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optax

Factory = Callable[[Any, Any], "optax.GradientTransformation"]
"""(learning rate, weight decay) to a transformation. Both may be traced: use them in arithmetic
only, never in an `if`."""

PREFIX = "own-"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_FACTORIES: dict[str, Factory] = {}


def is_own(name: str) -> bool:
    """Whether a configuration's optimiser is one of these, registered or not."""
    return name.startswith(PREFIX) and bool(_NAME.fullmatch(name.removeprefix(PREFIX)))


def register_optimiser(name: str, factory: Factory) -> str:
    """Make an optimiser known to this process, in place of an earlier one of the name.

    Args:
        name: small letters, digits, `_` and `-`.
        factory: makes the transformation; the gradient filter stands in front of it, warm-up and
            decay of the learning rate are already in the first argument.

    Returns:
        What to give as the configuration's `optimiser`: `own-` and the name.

    Raises:
        ValueError: a name that cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"optimiser name is {name!r}: expected small letters, digits, '_' and '-', "
            "first a letter or digit"
        )
    _FACTORIES[PREFIX + name] = factory
    return PREFIX + name


def own_optimiser(name: str) -> Factory:
    """The function behind a registered name.

    Raises:
        ValueError: it is not registered in this process.
    """
    if name not in _FACTORIES:
        raise ValueError(
            f"optimiser is {name!r}, which this process does not know: call "
            f"miiii.register_optimiser({name.removeprefix(PREFIX)!r}, …) first, then start or "
            "resume from Python"
        )
    return _FACTORIES[name]
