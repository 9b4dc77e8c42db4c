"""One-line descriptions of files that hold no model of two digits."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.interchange.imports.inert_pickle import Foreign

POSITIONS = (2, 3)
"""Numbers of tokens that a model of two digits reads: the digits, or also "="."""

_NETWORKS = {
    "A": "one layer",
    "B": "two layers",
    "C": "two layers",
    "D": "one layer",
    "X": "one layer",
}
"""Networks without attention of Zhong et al. 2023, by `model_type`."""


def describe(content: Any) -> str:
    """Describe an object without weights by name: "a list of 3,000 losses, no weights"."""
    if isinstance(content, np.ndarray):
        return f"an array {list(content.shape)} of {content.dtype} numbers, no weights by name"
    if isinstance(content, Mapping):
        if not content:
            return "an empty dictionary, no weights"
        if all(isinstance(value, np.ndarray) for value in content.values()):
            first = ", ".join(f"{key} {list(value.shape)}" for key, value in _first(content))
            return f"arrays with names that belong to no known transformer ({first})"
        parts = [f"{key} ({_brief(value)})" for key, value in _first(content)]
        more = f" and {len(content) - 4} more" if len(content) > 4 else ""
        return f"a dictionary with {', '.join(parts)}{more}, no weights"
    if isinstance(content, list | tuple):
        return f"{_of_list(content)}, no weights"
    if isinstance(content, Foreign):
        return f"an object of class {type(content).__name__}, which is not read: save its weights"
    return f"{_brief(content)}, no weights"


def _of_list(content: Sequence[Any]) -> str:
    kind = "list" if isinstance(content, list) else "tuple"
    # Tensors of one number count as numbers.
    content = [
        one.item() if isinstance(one, np.ndarray) and one.size == 1 else one for one in content
    ]
    numbers = _count(content, int | float)
    if content and numbers == len(content):
        losses = all(isinstance(one, float) and one >= 0 for one in content)
        return f"a {kind} of {len(content):,} {'losses' if losses else 'numbers'}"
    lists = _count(content, list | tuple | np.ndarray)
    if len(content) == 2 and lists == 2:
        return f"a pair of lists ({_brief(content[0])}, and {_brief(content[1])})"
    if content and lists == len(content):
        return f"a {kind} of {len(content):,} lists (the first: {_brief(content[0])})"
    if not content:
        return f"an empty {kind}"
    return f"a {kind} of {len(content):,} objects (the first: {_brief(content[0])})"


def _brief(content: Any) -> str:
    if isinstance(content, np.ndarray):
        return f"an array {list(content.shape)}"
    if isinstance(content, list | tuple):
        kind = "numbers" if _count(content, int | float) == len(content) else "objects"
        kind = "lists" if content and _count(content, list | tuple) == len(content) else kind
        return f"{len(content):,} {kind}"
    if isinstance(content, Mapping):
        return f"a dictionary of {len(content):,}"
    if isinstance(content, Foreign):
        return f"a {type(content).__name__}"
    if isinstance(content, str | bytes):
        return "a text"
    if content is None:
        return "nothing"
    return "a number" if isinstance(content, int | float) else f"a {type(content).__name__}"


def _first(content: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return list(content.items())[:4]


def _count(content: Sequence[Any], kinds: Any) -> int:
    return sum(isinstance(one, kinds) for one in content)


def other_network(state: Mapping[str, NDArray[Any]], config: Mapping[str, Any]) -> str | None:
    """Describe weights that are no transformer of two digits; None if they may be one.

    Args:
        state: the weights by plain names.
        config: the model's settings; empty if unknown.
    """
    names = set(state)
    if (kind := config.get("model_type")) in _NETWORKS or "l1.weight" in names:
        return _without_attention(names, kind if isinstance(kind, str) else None, state)
    if any(name.startswith("blocks.") and name.endswith(".W_in") for name in names) and not any(
        ".attn." in name for name in names
    ):
        layers = sum(name.endswith(".W_in") for name in names)
        plural = "layers" if layers > 1 else "layer"
        kind = "" if any(".mlp." in name for name in names) else " (`use_linear`)"
        return f"a network of {layers} {plural} without attention{kind}"
    if not any(name.startswith("blocks.") for name in names):
        embeddings = sorted(name for name in names if "embed" in name)
        if embeddings and len(embeddings) == len(names):
            return f"embeddings only ({', '.join(embeddings[:4])}), no transformer"
    positions = state.get("pos_embed.W_pos")
    if positions is not None and positions.ndim == 2 and _is_another_task(state, positions):
        return f"a transformer for {len(positions)} positions: not a two-digit task"
    return None


def _is_another_task(state: Mapping[str, NDArray[Any]], positions: NDArray[Any]) -> bool:
    """Whether a model reads other inputs than two digits and "=".

    A TransformerLens model may have more positions than it reads; its numbers of tokens and classes
    then decide. A model with the code of 2022 has as many positions as it reads.
    """
    count, width = positions.shape
    old = any(name.endswith("attn.W_O") and one.ndim == 2 for name, one in state.items())
    embedding, unembedding = state.get("embed.W_E"), state.get("unembed.W_U")
    if count in POSITIONS:
        return False
    if old or embedding is None or unembedding is None:
        return True
    if embedding.ndim != 2 or unembedding.ndim != 2:
        return True
    tokens = embedding.shape[1] if embedding.shape[0] == width else embedding.shape[0]
    return count < 2 or unembedding.shape[1] not in (tokens - 1, tokens) or tokens < 4


def _without_attention(names: set[str], kind: str | None, state: Mapping[str, NDArray[Any]]) -> str:
    if kind in _NETWORKS:
        return f"a network of {_NETWORKS[kind]} without attention (`model_type` {kind})"
    if "l2.weight" in names:
        return "a network of two layers without attention (`model_type` B or C)"
    if "embed1.weight" in names:
        return "a network of one layer without attention (`model_type` X)"
    embedding, layer = state.get("embed.weight"), state["l1.weight"]
    pair = embedding is not None and layer.shape[-1:] == (2 * embedding.shape[-1],)
    return f"a network of one layer without attention (`model_type` {'D' if pair else 'A'})"
