"""Translate weights between this package's names and TransformerLens' names.

TransformerLens 2 (`HookedTransformer`) stores matrices that multiply from the right, with one
matrix per head. Version 4 (`TransformerBridge.boot_native`) stores PyTorch's linear layers, which
are transposed, with all heads in one matrix:

| this package | HookedTransformer | TransformerBridge |
|---|---|---|
| token_embedding [p+1, D] | embed.W_E, the same | embed.weight, the same |
| position_embedding [3, D] | pos_embed.W_pos, the same | pos_embed.weight, the same |
| blocks.i.query [H, D, K] | blocks.i.attn.W_Q, the same | blocks.i.attn.q.weight [H·K, D] |
| blocks.i.output [H, K, D] | blocks.i.attn.W_O, the same | blocks.i.attn.o.weight [D, H·K] |
| blocks.i.mlp_in [D, F] | blocks.i.mlp.W_in, the same | blocks.i.mlp.in.weight [F, D] |
| blocks.i.mlp_out [F, D] | blocks.i.mlp.W_out, the same | blocks.i.mlp.out.weight [D, F] |
| blocks.i.mlp_in_bias [F] | blocks.i.mlp.b_in, the same | blocks.i.mlp.in.bias, the same |
| blocks.i.mlp_out_bias [D] | blocks.i.mlp.b_out, the same | blocks.i.mlp.out.bias, the same |
| unembedding [D, V] | unembed.W_U, the same | unembed.weight [V, D] |

key and value are named like query. Both versions have further biases, which are zero here.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

HOOKED = {
    "token_embedding": "embed.W_E",
    "position_embedding": "pos_embed.W_pos",
    "query": "attn.W_Q",
    "key": "attn.W_K",
    "value": "attn.W_V",
    "output": "attn.W_O",
    "mlp_in": "mlp.W_in",
    "mlp_out": "mlp.W_out",
    "unembedding": "unembed.W_U",
}
"""HookedTransformer's name of each weight, without `blocks.i.`."""

HOOKED_BIASES = {"mlp_in_bias": "mlp.b_in", "mlp_out_bias": "mlp.b_out"}
"""HookedTransformer's names of the optional biases, without `blocks.i.`."""

_HEADS = ("q", "k", "v")


def to_hooked(weights: Arrays) -> dict[str, NDArray[Any]]:
    """The state dict of a `HookedTransformer` with these weights; missing biases are zero.

    Args:
        weights: by the names of `model.parameters.weight_names`.
    """
    found: dict[str, NDArray[Any]] = {}
    hooked = HOOKED | HOOKED_BIASES
    for name, weight in weights.items():
        prefix, _, last = name.rpartition(".")
        found[".".join(filter(None, (prefix, hooked[last])))] = weight
    dtype = weights["token_embedding"].dtype
    for block in range(depth_of(weights)):
        heads, width, head_width = weights[f"blocks.{block}.query"].shape
        neurons = weights[f"blocks.{block}.mlp_in"].shape[1]
        for letter in "QKV":
            found[f"blocks.{block}.attn.b_{letter}"] = np.zeros((heads, head_width), dtype)
        found[f"blocks.{block}.attn.b_O"] = np.zeros(width, dtype)
        found.setdefault(f"blocks.{block}.mlp.b_in", np.zeros(neurons, dtype))
        found.setdefault(f"blocks.{block}.mlp.b_out", np.zeros(width, dtype))
    found["unembed.b_U"] = np.zeros(weights["unembedding"].shape[1], dtype)
    return found


def hooked_to_bridge(hooked: Arrays) -> dict[str, NDArray[Any]]:
    """Turn a `HookedTransformer`'s state dict, without buffers, into a `TransformerBridge`'s."""
    found: dict[str, NDArray[Any]] = {}
    for name, array in hooked.items():
        prefix, _, last = name.rpartition(".")
        kind, _, letter = last.partition("_")
        if letter in ("Q", "K", "V"):
            # Heads become rows of one matrix: [H, D, K] to [H·K, D], biases [H, K] to [H·K].
            array = array.transpose(0, 2, 1) if kind == "W" else array
            array = array.reshape(-1, *array.shape[2:])
        elif letter == "O" and kind == "W":
            array = array.reshape(-1, array.shape[-1]).T
        elif kind == "W" and letter in ("in", "out", "U"):
            array = array.T
        part = letter.lower() + "." if prefix.endswith((".attn", ".mlp")) else ""
        ending = "weight" if kind == "W" else "bias"
        found[f"{prefix}.{part}{ending}"] = np.ascontiguousarray(array)
    return found


def bridge_to_hooked(bridge: Arrays, heads: int) -> dict[str, NDArray[Any]]:
    """The inverse of `hooked_to_bridge`.

    Args:
        bridge: a `TransformerBridge`'s state dict.
        heads: H, which does not follow from names and shapes.

    Raises:
        ValueError: a layer's rows cannot be divided among H heads.
    """
    found: dict[str, NDArray[Any]] = {}
    for name, array in bridge.items():
        prefix, _, ending = name.rpartition(".")
        before, _, part = prefix.rpartition(".")
        kind = "W" if ending == "weight" else "b"
        if part in _HEADS:
            array = _by_head(name, array, heads)
            array = array.transpose(0, 2, 1) if kind == "W" else array
            found[f"{before}.{kind}_{part.upper()}"] = array
        elif part == "o" and before.endswith(".attn"):
            array = _by_head(name, array.T, heads) if kind == "W" else array
            found[f"{before}.{kind}_O"] = array
        elif part in ("in", "out"):
            found[f"{before}.{kind}_{part}"] = array.T
        else:
            letter = {"embed": "E", "pos_embed": "pos", "unembed": "U"}.get(prefix)
            key = f"{prefix}.{kind}_{letter}" if letter else name
            found[key] = array.T if letter == "U" else array
    return found


def _by_head(name: str, array: NDArray[Any], heads: int) -> NDArray[Any]:
    if heads < 1 or array.shape[0] % heads:
        raise ValueError(f"{name} has {array.shape[0]} rows: {heads} heads cannot share them")
    return array.reshape(heads, -1, *array.shape[1:])


def depth_of(names: Iterable[str]) -> int:
    """Number of blocks, from names such as `blocks.1.query`."""
    blocks = [int(match[1]) for name in names if (match := re.match(r"blocks\.(\d+)\.", name))]
    return max(blocks, default=-1) + 1
