"""Normalise the names in a state dict of any origin.

- A prefix that a wrapper adds to every name (`_orig_mod.` of torch.compile, `module.` of
  DataParallel, `model.`, `original_model.`) is removed.
- `_original_component`, which TransformerBridge adds between the parts of a name, is removed, and
  so are parts that PyTorch's wrappers add if a single block is wrapped.
- Names of TransformerLens 4's native model (`tok_embed`, `layers`, `fc_in`, `head`) become those of
  its bridge, which `names.bridge_to_hooked` translates to HookedTransformer's.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]

_ROOTS = frozenset(
    {"embed", "pos_embed", "blocks", "unembed", "tok_embed", "pos", "layers", "head", "ln_out"}
    | {"ln_final", "l1", "l2", "embed1", "embed2"}
)
"""First parts of the names in known models."""
_NATIVE = (
    (re.compile(r"^tok_embed\."), "embed."),
    (re.compile(r"^pos\."), "pos_embed."),
    (re.compile(r"^layers\."), "blocks."),
    (re.compile(r"\.mlp\.fc_(in|out)\."), r".mlp.\1."),
    (re.compile(r"^head\."), "unembed."),
    (re.compile(r"^ln_out\."), "ln_final."),
)
_BRIDGE_PART = "._original_component"
_WRAPPED = re.compile(r"(?<=\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""Parts that torch.compile, FSDP and activation checkpointing add inside a name."""
_INNER = "original_model."
"""Prefix of the model that a TransformerBridge wraps."""


def plain_names(state: Mapping[str, NDArray[Any]]) -> tuple[State, tuple[str, ...]]:
    """Remove wrappers' parts, and translate TransformerLens 4's native names to its bridge's.

    Returns:
        The weights by their new names, and a note for each change.

    Raises:
        ValueError: two names become equal but their weights differ, or only some names have a
            prefix.
    """
    notes: list[str] = []
    found = dict(state)
    while (prefix := _shared_prefix(found)) is not None:
        found = {name.removeprefix(prefix): array for name, array in found.items()}
        notes.append(f"the prefix {prefix!r} was removed from every name")
    if any(_WRAPPED.search(name) for name in found):
        found = _renamed(found, lambda name: _WRAPPED.sub("", name))
        notes.append("the parts that PyTorch's wrappers add inside names were removed")
    found = _renamed(found, lambda name: name.replace(_BRIDGE_PART, "").removeprefix(_INNER))
    _refuse_partly_prefixed(found)
    if "tok_embed.weight" in found:
        found = _renamed(found, _bridged)
        notes.append("the names are those of TransformerLens 4's native model")
    return found, tuple(notes)


def looks_like_a_model(state: Mapping[str, Any]) -> bool:
    """Whether names belong to a known model, after any prefix."""
    return any(part in _ROOTS for name in state for part in name.split(".")[:4])


def _shared_prefix(state: State) -> str | None:
    """A wrapper's prefix of every name, with its dot; None if there is none."""
    parts = {name.partition(".")[0] for name in state}
    if len(parts) != 1 or any("." not in name for name in state):
        return None
    (part,) = parts
    return None if part in _ROOTS else part + "."


def _refuse_partly_prefixed(state: State) -> None:
    """Refuse names of which only some have a wrapper's prefix."""
    for part in sorted({name.partition(".")[0] for name in state} - _ROOTS):
        inside = [name for name in state if name.startswith(part + ".")]
        outside = [name for name in state if name not in inside]
        if outside and any(name.split(".")[1] in _ROOTS for name in inside):
            raise ValueError(
                f"{len(inside)} of {len(state)} names begin with {part + '.'!r}, but {outside[0]} "
                "does not: save only the model's state_dict"
            )


def _bridged(name: str) -> str:
    for pattern, replacement in _NATIVE:
        name = pattern.sub(replacement, name)
    return name


def _renamed(state: State, rename: Callable[[str], str]) -> State:
    found: State = {}
    for old, array in state.items():
        name = rename(old)
        if name in found and not np.array_equal(found[name], array):
            raise ValueError(f"{name} is in the file twice, with different numbers")
        found.setdefault(name, array)
    return found
