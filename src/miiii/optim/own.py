"""Optimisers that a user registers: a configuration names `own-lion`, the user's function makes it.

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
    """Whether a configuration's optimiser is a user's, registered or not."""
    return name.startswith(PREFIX) and bool(_NAME.fullmatch(name.removeprefix(PREFIX)))


def register_optimiser(name: str, factory: Factory) -> str:
    """Register an optimiser in this process; it replaces an earlier one of the same name.

    Args:
        name: small letters, digits, `_` and `-`; first a letter or digit.
        factory: makes the transformation, which comes after the gradient filter; its first argument
            includes warm-up and decay of the learning rate.

    Returns:
        The value for the configuration's `optimiser`: `own-` and the name.

    Raises:
        ValueError: the name has other characters.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"optimiser name is {name!r}: expected small letters, digits, '_' and '-', "
            "first a letter or digit"
        )
    _FACTORIES[PREFIX + name] = factory
    return PREFIX + name


def own_optimiser(name: str) -> Factory:
    """The function registered under a name, `own-` included.

    Raises:
        ValueError: there is none in this process.
    """
    if name not in _FACTORIES:
        raise ValueError(
            f"optimiser is {name!r}, which is not registered in this process: call "
            f"miiii.register_optimiser({name.removeprefix(PREFIX)!r}, …) first, then start or "
            "resume from Python"
        )
    return _FACTORIES[name]
