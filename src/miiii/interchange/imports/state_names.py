"""The names in a state dict of any origin, rewritten as HookedTransformer's names.

- a part that wrappers put before every name (`_orig_mod.` of torch.compile, `module.` of
  DataParallel, `model.`, `original_model.`) is taken off;
- `_original_component`, which TransformerBridge puts between the parts of a name, is left out, and
  so are the parts that PyTorch's wrappers put where a single block is wrapped;
- names of TransformerLens 4's own model (`tok_embed`, `layers`, `fc_in`, `head`) become those of
  its bridge, which `names.bridge_to_hooked` brings to HookedTransformer's.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]

_ROOTS = frozenset(
    {"embed", "pos_embed", "blocks", "unembed", "tok_embed", "pos", "layers", "head", "ln_out"}
    | {"ln_final", "l1", "l2", "embed1", "embed2"}
)
"""What the names of the models of this field begin with."""
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
"""What torch.compile, FSDP and activation checkpointing put between the parts of a name."""
_INNER = "original_model."
"""Where a TransformerBridge keeps the model that it wraps."""


def plain_names(state: Mapping[str, NDArray[Any]]) -> tuple[State, tuple[str, ...]]:
    """Take off prefixes, and bring TransformerLens 4's own names to its bridge's.

    Returns:
        The weights by their new names, and what was done, a line each.

    Raises:
        ValueError: two names become one, and their weights differ; or some names have a prefix
            that others lack.
    """
    notes: list[str] = []
    found = dict(state)
    while (prefix := _shared_prefix(found)) is not None:
        found = {name.removeprefix(prefix): array for name, array in found.items()}
        notes.append(f"the prefix {prefix!r} was taken off every name")
    if any(_WRAPPED.search(name) for name in found):
        found = _merged({_unwrapped(name): [] for name in found}, found, _unwrapped)
        notes.append("what PyTorch's wrappers put inside names was taken out")
    if any(name.startswith(_INNER) or _BRIDGE_PART in name for name in found):
        found = _merged({_without_bridge(name): [] for name in found}, found, _without_bridge)
    _refuse_partly_prefixed(found)
    if "tok_embed.weight" in found:
        found = _merged({_bridged(name): [] for name in found}, found, _bridged)
        notes.append("the names are those of TransformerLens 4's own model")
    return found, tuple(notes)


def looks_like_a_model(state: Mapping[str, Any]) -> bool:
    """Whether names are a model's of this field, behind whatever prefix."""
    return any(part in _ROOTS for name in state for part in name.split(".")[:4])


def _shared_prefix(state: State) -> str | None:
    """The first part of every name, with its dot, where it is a wrapper's."""
    parts = {name.partition(".")[0] for name in state}
    if len(parts) != 1 or any("." not in name for name in state):
        return None
    (part,) = parts
    return None if part in _ROOTS else part + "."


def _refuse_partly_prefixed(state: State) -> None:
    """Refuse names of which some have a wrapper's part in front, and others not."""
    for part in sorted({name.partition(".")[0] for name in state} - _ROOTS):
        inside = [name for name in state if name.startswith(part + ".")]
        outside = [name for name in state if name not in inside]
        if outside and any(name.split(".")[1] in _ROOTS for name in inside):
            raise ValueError(
                f"{len(inside)} of {len(state)} names begin with {part + '.'!r}, but {outside[0]} "
                "does not: save the state_dict of the model only"
            )


def _without_bridge(name: str) -> str:
    return name.replace(_BRIDGE_PART, "").removeprefix(_INNER)


def _unwrapped(name: str) -> str:
    return _WRAPPED.sub("", name)


def _bridged(name: str) -> str:
    for pattern, replacement in _NATIVE:
        name = pattern.sub(replacement, name)
    return name


def _merged(places: dict[str, list[Any]], state: State, rename: Any) -> State:
    for name, array in state.items():
        places[rename(name)].append(array)
    for name, arrays in places.items():
        if any(not np.array_equal(one, arrays[0]) for one in arrays[1:]):
            raise ValueError(f"{name} stands in the file twice, with different numbers")
    return {name: arrays[0] for name, arrays in places.items()}
