"""Find the weights in a file, and their epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from miiii.interchange.imports.inert_pickle import Foreign
from miiii.interchange.imports.state_names import looks_like_a_model

State = dict[str, NDArray[Any]]

_FINAL = ("model", "state_dict", "model_state_dict", "module", "net", "weights")
_SERIES = (("checkpoints", "checkpoint_epochs"), ("state_dicts", "epochs"))
_DEPTH = 32
"""Most levels of modules within modules."""


@dataclass(frozen=True)
class States:
    """The weights in a file.

    Attributes:
        by_epoch: the weights with the file's numbers; a single state has any number.
        numbered_by_file: whether the file gives the epochs of `by_epoch`.
        final: the state after the last epoch, if the file has it in addition to the others.
        epoch: the epoch of the last state; None if the file does not say.
        notes: where the weights were found.
    """

    by_epoch: dict[int, State]
    numbered_by_file: bool
    final: State | None = None
    epoch: int | None = None
    notes: tuple[str, ...] = ()

    def numbered(self, trained: int) -> tuple[dict[int, State], list[str]]:
        """The weights by epoch, the last state included.

        Args:
            trained: number of epochs with losses in the file, or in its settings; 0: unknown.

        Returns:
            The weights, and a note if epochs had to be assumed.
        """
        states, notes = dict(self.by_epoch), []
        if self.final is not None and not (states and _same(self.final, states[max(states)])):
            after = max((epoch + 1 for epoch in states), default=1)
            stated = 0 if trained else self.epoch or 0
            states[max(trained, stated, after)] = self.final
        elif not self.numbered_by_file and len(states) == 1:
            (state,) = states.values()
            states = {max(trained, self.epoch or 0, 1): state}
        elif not self.numbered_by_file:
            notes.append(
                f"the file does not say which epochs its {len(states)} states are of: they are "
                f"numbered 1 … {len(states)}"
            )
        return states, notes


def is_state(content: Any) -> TypeGuard[Mapping[str, NDArray[Any]]]:
    """Whether an object is a mapping from names to arrays."""
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) for key in content)
        and all(isinstance(value, np.ndarray) for value in content.values())
    )


def find_states(content: Any) -> States | None:
    """Find the weights in a file's content; None if there are none.

    Raises:
        ValueError: a series of states has other entries or lacks epochs, or several entries hold
            weights.
    """
    if (module := _of_module(content)) is not None:
        name = type(content).__name__
        return States(
            {1: module}, False, notes=(f"the weights are those of a whole module, {name}",)
        )
    if isinstance(content, Mapping):
        return _of_mapping(content)
    if isinstance(content, Sequence) and not isinstance(content, str | bytes):
        return _of_list(content)
    return None


def _of_mapping(content: Mapping[Any, Any]) -> States | None:
    if content and all(_epoch(key) is not None for key in content):
        return _by_epoch(content)
    states, numbered = {}, False
    for series, epochs in _SERIES:
        if isinstance(content.get(series), Sequence) and content[series]:
            states, numbered = _series(content, series, epochs), True
    final, notes = _final(content, bool(states))
    if final is None and not states:
        return None
    epoch = content.get("epoch")
    epoch = epoch if isinstance(epoch, int) and epoch > 0 else None
    return States(states, numbered, final, epoch, notes)


def _final(content: Mapping[Any, Any], others: bool) -> tuple[State | None, tuple[str, ...]]:
    for key in _FINAL:
        value = content.get(key)
        if is_state(value) and looks_like_a_model(value):
            return dict(value), ()
        if (module := _of_module(value)) is not None:
            return module, (f"{key} is a whole module, {type(value).__name__}",)
    found = {
        str(key): value
        for key, value in content.items()
        if is_state(value) and looks_like_a_model(value)
    }
    beside = {
        key: value
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, np.ndarray)
    }
    if not others and not found and looks_like_a_model(beside):
        return beside, ("the weights are arrays among other entries of the file",)
    if others or not found:
        # Unknown arrays by name are returned as weights, so that a later error describes them.
        named = next((content[key] for key in _FINAL if is_state(content.get(key))), None)
        return (None if named is None or others else dict(named)), ()
    if len(found) > 1:
        raise ValueError(f"weights are under {', '.join(found)}: save only one of them")
    ((key, state),) = found.items()
    return dict(state), (f"the weights are under {key!r}",)


def _by_epoch(content: Mapping[Any, Any]) -> States | None:
    states = {
        epoch: state
        for key, value in content.items()
        if (epoch := _epoch(key)) is not None and (state := _one(value)) is not None
    }
    return States(dict(sorted(states.items())), True) if states else None


def _of_list(content: Sequence[Any]) -> States | None:
    states = [_one(value) for value in content]
    if not states or any(state is None for state in states):
        return None
    epochs = [value.get("epoch") if not is_state(value) else None for value in content]
    if all(isinstance(epoch, int) for epoch in epochs) and len(set(epochs)) == len(epochs):
        return States(dict(sorted(zip(epochs, states, strict=True))), True)  # pyright: ignore[reportArgumentType]
    return States(dict(enumerate(states, start=1)), False)  # pyright: ignore[reportArgumentType]


def _one(value: Any) -> State | None:
    """A state dict that is the object itself or an entry of it."""
    if is_state(value):
        return dict(value) if looks_like_a_model(value) else None
    if isinstance(value, Mapping):
        return _final(value, False)[0]
    return _of_module(value)


def _series(content: Mapping[Any, Any], series: str, epochs: str) -> dict[int, State]:
    states, given = content[series], content.get(epochs)
    if not all(is_state(state) for state in states):
        raise ValueError(f"{series} has an entry that is not a state dict")
    if not isinstance(given, Sequence | np.ndarray) or len(given) < len(states):
        raise ValueError(f"{epochs} is missing or shorter than {series}")
    # Training that was stopped early has more planned epochs than states.
    return {
        int(epoch): dict(state) for epoch, state in zip(given[: len(states)], states, strict=True)
    }


def _epoch(key: Any) -> int | None:
    if isinstance(key, str) and key.isdecimal() and len(key) < 12:
        return int(key)
    return key if type(key) is int and key >= 0 else None


def _of_module(content: Any, depth: int = 0) -> State | None:
    """The weights of a whole PyTorch module, from the record of its fields."""
    if not isinstance(content, Foreign) or "_parameters" not in content.state or depth > _DEPTH:
        return None
    found: State = {}
    for kind in ("_parameters", "_buffers"):
        held = content.state.get(kind)
        if isinstance(held, Mapping):
            found |= {str(key): one for key, one in held.items() if isinstance(one, np.ndarray)}
    inner = content.state.get("_modules")
    for key, module in inner.items() if isinstance(inner, Mapping) else ():
        below = _of_module(module, depth + 1) or {}
        found |= {f"{key}.{name}": array for name, array in below.items()}
    return found


def _same(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f")
        for name in one
    )
