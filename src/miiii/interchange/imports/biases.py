"""Biases of a published model: taken over, folded, left out, or refused."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]

_MLP = {"mlp.b_in": "mlp_in_bias", "mlp.b_out": "mlp_out_bias"}


def is_bias(name: str) -> bool:
    """Whether a name is HookedTransformer's name of a bias."""
    suffix = name.split(".", 2)[-1] if name.startswith("blocks.") else name
    return (
        suffix == "unembed.b_U"
        or suffix in _MLP
        or (suffix.startswith("attn.b_") and suffix[7:] in {"Q", "K", "V", "O"})
    )


def treat_biases(
    biases: Mapping[str, NDArray[Any]],
    weights: Weights,
    depth: int,
    answer_token: bool,
    notes: list[str],
) -> bool:
    """Bring biases into the weights, or refuse them.

    Args:
        biases: by HookedTransformer's names.
        weights: by this package's names, changed in place; MLP biases are added unless all are
            zero.
        depth: number of blocks.
        answer_token: whether the model reads "=".
        notes: receives a line for each change.

    Returns:
        Whether the model has MLP biases.

    Raises:
        ValueError: a bias cannot be represented, or has a wrong shape.
    """
    given = {name: one for name, one in biases.items() if np.any(one)}
    for name, bias in given.items():
        if not np.isfinite(bias).all():
            raise ValueError(f"{name} has numbers that are not finite and real")
    for name, bias in given.items():
        if name.endswith("b_K"):
            notes.append(f"{name} adds the same to every score of a query and was left out")
        elif name == "unembed.b_U":
            if np.ptp(bias) != 0:
                raise ValueError(
                    f"{name} differs among classes (up to {np.abs(bias).max():.3g}): this "
                    "transformer has no unembedding bias"
                )
            notes.append(f"{name} is the same for all classes and was left out")
        elif name.endswith("b_Q"):
            if depth > 1 or not answer_token:
                raise ValueError(
                    f"{name} is not zero (up to {np.abs(bias).max():.3g}): this transformer has no "
                    "query biases, and only a model of one block that reads '=' can fold them"
                )
            _fold_query_bias(weights, name, bias, notes)
    added = [_mlp_biases(given, weights, block, notes) for block in range(depth)]
    if not any(np.any(one) for pair in added for one in pair):
        return False
    dtype = weights["unembedding"].dtype
    for block, (inner, outer) in enumerate(added):
        weights[f"blocks.{block}.mlp_in_bias"] = inner.astype(dtype)
        weights[f"blocks.{block}.mlp_out_bias"] = outer.astype(dtype)
    return True


def _mlp_biases(
    given: Mapping[str, NDArray[Any]], weights: Weights, block: int, notes: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """b_in [F] and b_out [D] of a block, including attention's biases."""
    into, out = weights[f"blocks.{block}.mlp_in"], weights[f"blocks.{block}.output"]
    width, neurons = into.shape

    def bias(name: str, *shape: int) -> NDArray[np.float64]:
        name = f"blocks.{block}.{name}"
        found = given.get(name, np.zeros(shape))
        if found.shape != shape:
            raise ValueError(f"{name} is {list(found.shape)}: expected {list(shape)}")
        return found.astype(np.float64)

    inner, outer = bias("mlp.b_in", neurons), bias("mlp.b_out", width)
    # Attention weights sum to 1, so b_V and b_O add one constant vector to the residual stream.
    constant, values = bias("attn.b_O", width), bias("attn.b_V", *out.shape[:2])
    constant = constant + np.einsum("hk,hkd->d", values, out.astype(np.float64))
    if constant.any():
        inner = inner + constant @ into.astype(np.float64)
        outer = outer + constant
        notes.append(
            f"b_V and b_O of block {block} add a constant to the residual stream, which was folded "
            "into the MLP's biases"
        )
    return inner, outer


def _fold_query_bias(weights: Weights, name: str, bias: NDArray[Any], notes: list[str]) -> None:
    # The only query reads the vector e of "=". W_Q + eᵀ b_Q / (e·e) adds exactly b_Q to it.
    answer = (weights["token_embedding"][-1] + weights["position_embedding"][2]).astype(np.float64)
    square = answer @ answer
    query = weights["blocks.0.query"]
    if not square > 0 or bias.shape != (query.shape[0], query.shape[2]):
        raise ValueError(f"{name} cannot be folded: the answer token's embedding is zero")
    update = answer[None, :, None] * bias[:, None, :].astype(np.float64) / square
    weights["blocks.0.query"] = (query + update).astype(query.dtype)
    notes.append(f"{name} was folded into W_Q: the only query is the answer token's")
