"""Sizes of a published model, and their change to sizes that this package's transformer allows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.interchange.imports.foreign_settings import ForeignSettings


@dataclass(frozen=True)
class Shapes:
    """Sizes of a model, from shapes and settings.

    Attributes:
        base: p.
        positions: number of tokens that are read.
        answer_token: whether the last of them is "=".
        separate_tokens: whether the second digit has different tokens than the first.
        head_width: d_head.
    """

    base: int
    positions: int
    answer_token: bool
    separate_tokens: bool
    head_width: int


def check_shapes(
    weights: Mapping[str, NDArray[Any]], depth: int, settings: ForeignSettings, base: int | None
) -> Shapes:
    """Check that weights in TransformerLens' layout are one model of two digits.

    Args:
        weights: by this package's names.
        depth: number of blocks.
        settings: the model's settings.
        base: p if the user gives it.

    Raises:
        ValueError: the weights are no such model; the message has the shape found and expected.
    """
    embedding, positions = weights["token_embedding"], weights["position_embedding"]
    unembedding = weights["unembedding"]
    width = positions.shape[-1]
    if embedding.ndim != 2 or embedding.shape[1] != width or unembedding.ndim != 2:
        raise ValueError(
            f"embed.W_E is {list(embedding.shape)} and unembed.W_U {list(unembedding.shape)}: "
            f"expected [d_vocab, d_model] and [d_model, d_vocab] with d_model {width}"
        )
    query = weights["blocks.0.query"].shape
    if len(query) != 3:
        raise ValueError(f"blocks.0.attn.W_Q is {list(query)}: expected one matrix per head")
    heads, _, head_width = query
    neurons = weights["blocks.0.mlp_in"].shape[-1]
    expected: dict[str, tuple[int, ...]] = {"unembedding": (width, unembedding.shape[1])}
    for block in range(depth):
        for name in ("query", "key", "value"):
            expected[f"blocks.{block}.{name}"] = (heads, width, head_width)
        expected[f"blocks.{block}.output"] = (heads, head_width, width)
        expected[f"blocks.{block}.mlp_in"] = (width, neurons)
        expected[f"blocks.{block}.mlp_out"] = (neurons, width)
    for key, shape in expected.items():
        if weights[key].shape != shape:
            raise ValueError(f"{key} is {list(weights[key].shape)}: expected {list(shape)}")
    if settings.heads is not None and settings.heads != heads:
        raise ValueError(f"the weights have {heads} heads, their settings say {settings.heads}")
    answer, separate, found = _tokens(
        embedding.shape[0], len(positions), unembedding.shape[1], settings, base
    )
    return Shapes(found, 3 if answer else 2, answer, separate, head_width)


def _tokens(
    tokens: int, positions: int, classes: int, settings: ForeignSettings, base: int | None
) -> tuple[bool, bool, int]:
    """Whether there is "=", whether the second digit has different tokens, and p."""
    if positions < 2:
        raise ValueError(f"n_ctx is {positions}: expected the tokens a, b and perhaps '='")
    answer = positions > 2 if settings.answer_token is None else settings.answer_token
    if answer and positions < 3:
        raise ValueError(f"n_ctx is {positions}: expected the 3 tokens a, b and '='")
    digits = tokens - answer
    base = base if base is not None else settings.base
    separate = settings.separate_tokens
    if base is None and separate is None and digits == 2 * classes:
        # Each digit has as many tokens as there are classes.
        base, separate = classes, True
    if base is None:
        separate = bool(separate)
        base = digits // 2 if separate else digits
    elif separate is None:
        separate = digits == 2 * base
    if base < 3 or digits != (2 if separate else 1) * base or classes < base or classes > tokens:
        kind = "2p" if separate else "p"
        raise ValueError(
            f"there are {tokens} tokens and {classes} classes at p = {base}: expected "
            f"{kind}{' + 1' if answer else ''} tokens (the digits{' and =' if answer else ''}) and "
            "p classes or one per token"
        )
    if classes not in (base, tokens):
        raise ValueError(f"there are {classes} classes: expected p = {base} or {tokens}")
    return answer, separate, base


def fold_scale(
    weights: dict[str, NDArray[Any]], scale: float, depth: int, notes: list[str]
) -> None:
    """Change W_Q so that scores divided by √K equal the model's scores divided by `scale`."""
    root = math.sqrt(weights["blocks.0.query"].shape[2])
    if math.isclose(scale, root, rel_tol=1e-6):
        return
    for block in range(depth):
        query = weights[f"blocks.{block}.query"]
        weights[f"blocks.{block}.query"] = (query * (root / scale)).astype(query.dtype)
    notes.append(f"the attention scale {scale:g} was folded into W_Q (miiii's is √{root**2:g})")


def fill_up(
    weights: dict[str, NDArray[Any]], depth: int, notes: list[str]
) -> tuple[dict[str, NDArray[Any]], int]:
    """Add zeros to the weights until heads · K is the width and the width divides the neurons.

    The added components of the residual stream and the added neurons are always 0, because every
    activation function here is 0 at 0. So the model's function does not change.

    Returns:
        The weights and the number of heads.
    """
    heads, width, head_width = weights["blocks.0.query"].shape
    neurons = weights["blocks.0.mlp_in"].shape[1]
    wide_head = max(head_width, math.ceil(width / heads))
    wide = heads * wide_head
    many = math.ceil(neurons / wide) * wide
    if (wide, wide_head, many) == (width, head_width, neurons):
        return weights, heads
    sizes = {"D": (width, wide), "K": (head_width, wide_head), "F": (neurons, many)}
    axes = {
        "token_embedding": ".D",
        "position_embedding": ".D",
        "unembedding": "D.",
        "query": ".DK",
        "key": ".DK",
        "value": ".DK",
        "output": ".KD",
        "mlp_in": "DF",
        "mlp_out": "FD",
        "mlp_in_bias": "F",
        "mlp_out_bias": "D",
    }
    filled = {}
    for name, array in weights.items():
        more = [
            (0, sizes[axis][1] - sizes[axis][0]) if axis in sizes else (0, 0)
            for axis in axes[name.rpartition(".")[2]]
        ]
        filled[name] = np.pad(array, more)
    changed = [
        f"{name} {old} to {new}"
        for name, (old, new) in zip(("d_model", "d_head", "d_mlp"), sizes.values(), strict=True)
        if old != new
    ]
    notes.append(
        f"zeros were added to the weights, which change nothing: {', '.join(changed)} "
        "(miiii's heads make up the width, and its neurons are a multiple of it)"
    )
    return filled, heads
