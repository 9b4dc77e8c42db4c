"""What becomes of a published model's biases: taken over, folded, left out, or refused."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]

_MLP = {"mlp.b_in": "mlp_in_bias", "mlp.b_out": "mlp_out_bias"}


def is_bias(name: str) -> bool:
    """Whether a name is that of a bias of HookedTransformer."""
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
        weights: by our names, changed in place; the MLP's biases are put there where any is not
            zero.
        depth: blocks.
        answer_token: whether the model reads "=".
        notes: what was done, a line each.

    Returns:
        Whether the model has MLP biases.

    Raises:
        ValueError: a bias has no place, or the wrong shape.
    """
    given = {name: one for name, one in biases.items() if np.any(one)}
    for name, bias in given.items():
        if not np.isfinite(bias).all():
            raise ValueError(f"{name} is not of finite real numbers")
    for name, bias in given.items():
        if name.endswith("b_K"):
            notes.append(f"{name} adds the same to every score of a query and was left out")
        elif name == "unembed.b_U":
            _leave_out_unembedding(name, bias, notes)
        elif name.endswith("b_Q"):
            if depth > 1 or not answer_token:
                raise ValueError(
                    f"{name} is not zero (up to {np.abs(bias).max():.3g}): this transformer has no "
                    "such bias, and it can be folded only in a model of one block that reads '='"
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


def _leave_out_unembedding(name: str, bias: NDArray[Any], notes: list[str]) -> None:
    if np.ptp(bias) != 0:
        raise ValueError(
            f"{name} differs among classes (up to {np.abs(bias).max():.3g}): this transformer has "
            "no bias there"
        )
    notes.append(f"{name} is the same for all classes and was left out")


def _mlp_biases(
    given: Mapping[str, NDArray[Any]], weights: Weights, block: int, notes: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """b_in [F] and b_out [D] of a block, with what attention's biases add to them."""
    into, out = weights[f"blocks.{block}.mlp_in"], weights[f"blocks.{block}.output"]
    width, neurons = into.shape
    found = []
    for ending, size in (("mlp.b_in", neurons), ("mlp.b_out", width)):
        bias = given.get(f"blocks.{block}.{ending}")
        found.append(_checked(f"blocks.{block}.{ending}", bias, (size,)))
    inner, outer = found
    constant = _checked(f"blocks.{block}.attn.b_O", given.get(f"blocks.{block}.attn.b_O"), (width,))
    values = _checked(
        f"blocks.{block}.attn.b_V", given.get(f"blocks.{block}.attn.b_V"), out.shape[:2]
    )
    constant = constant + np.einsum("hk,hkd->d", values, out.astype(np.float64))
    if constant.any():
        inner = inner + constant @ into.astype(np.float64)
        outer = outer + constant
        notes.append(
            f"what b_V and b_O of block {block} add to the residual stream was folded into the "
            "MLP's biases"
        )
    return inner, outer


def _checked(name: str, bias: NDArray[Any] | None, shape: tuple[int, ...]) -> NDArray[np.float64]:
    if bias is None:
        return np.zeros(shape)
    if bias.shape != shape:
        raise ValueError(f"{name} is {list(bias.shape)}: expected {list(shape)}")
    return bias.astype(np.float64)


def _fold_query_bias(weights: Weights, name: str, bias: NDArray[Any], notes: list[str]) -> None:
    answer = (weights["token_embedding"][-1] + weights["position_embedding"][2]).astype(np.float64)
    square = answer @ answer
    query = weights["blocks.0.query"]
    if not square > 0 or bias.shape != (query.shape[0], query.shape[2]):
        raise ValueError(f"{name} cannot be folded: the answer token's embedding is zero")
    update = answer[None, :, None] * bias[:, None, :].astype(np.float64) / square
    weights["blocks.0.query"] = (query + update).astype(query.dtype)
    notes.append(f"{name} was folded into W_Q: the only query is the answer token's")
