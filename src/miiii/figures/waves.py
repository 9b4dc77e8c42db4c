"""The weights of the cosine model (paper Appendix D, Figures 20 to 23).

The residual stream's dimensions are rows or columns of every matrix, in stored order: dimension 7
is the same in all pictures. Neurons may be sorted; the label of their axis then names the order.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii import esch
from miiii.esch.style import LIGHT, Style
from miiii.figures.fourier_basis import shown_sign

_ROOM = 396.0  # points that the cells of a row share
_NARROW = 340.0  # the same where a row has a name and a scale
_TALLEST = 170.0  # points that a matrix takes downwards
_LARGEST = 10.0  # side of a cell, points
_BLOCK = "blocks.0."
_LINE = 64  # tokens per line of W_E,tok
_BESIDE = 10  # cells that W_E,pos takes with its gaps
_APART = 4  # cells between the last digit's tick and that of the answer token
_VECTORS = 25_000  # marks per drawing; about 0.5 MB
_ENDS = 5  # ticks along an axis that has no order

Weights = Mapping[str, ArrayLike]


def embedding_weights(weights: Weights, *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """Paper Figure 20: W_E,tok and W_E,pos, transposed, a row per dimension of the stream.

    Args:
        weights: name to array: token_embedding [p + 1, D], position_embedding [3, D].

    Raises:
        ValueError: a weight is missing or has another shape.
    """
    tokens = _weight(weights, "token_embedding", 2).T
    positions = _weight(weights, "position_embedding", 2).T
    width, count = tokens.shape
    if positions.shape != (width, 3):
        raise ValueError(
            f"position_embedding has shape {positions.T.shape}: expected [3, {width}], "
            "three positions of the token embedding's width"
        )
    lines = math.ceil(count / _LINE)
    length = math.ceil(count / lines)
    padded = np.zeros((width, lines * length))
    padded[:, :count] = tokens
    digits = [token for token in _spaced(count - 1, 16) if token < count - _APART]
    labels = {**{token: str(token) for token in digits}, count - 1: "="}
    cell = _cell(length + _BESIDE, width)
    # The model adds both, so that they have one scale; None for matrices of zeros.
    largest = float(max(np.abs(tokens).max(), np.abs(positions).max())) or None
    left = esch.draw(
        "h r w",
        padded.reshape(width, lines, length),
        title=title,
        panel_labels=["W_E,tok", *[""] * (lines - 1)],
        x_label=f"token: the digits 0 to {count - 2}, and = for “answer here”",
        y_label="dimension of the stream",
        x_ticks=[
            {token - start: name for token, name in labels.items() if 0 <= token - start < length}
            for start in range(0, lines * length, length)
        ],
        y_ticks=_spaced(width, _ENDS),
        vmax=largest,
        value_label="weight",
        sign=shown_sign(cell),
        cell=cell,
        vector_limit=_VECTORS,
        style=style,
    )
    right = esch.draw(
        "h c w",
        positions[:, :, None],
        column_labels=["x0", "x1", "="],
        x_label="W_E,pos",
        vmax=largest,
        sign=shown_sign(cell),
        show_key=False,
        cell=cell,
        style=style,
    )
    return esch.stack(left, right, direction="right", style=style)


def attention_weights(weights: Weights, *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """Paper Figure 21: W_k, W_q and W_v of every head; also W_o, which the paper leaves out.

    W_k, W_q and W_v are transposed, so that columns are the stream's dimensions in all four.

    Args:
        weights: name to array: blocks.0.key, .query and .value [H, D, K], .output [H, K, D].

    Raises:
        ValueError: a weight is missing or has another shape.
    """
    names = ("key", "query", "value")
    matrices = [_weight(weights, _BLOCK + name, 3).swapaxes(1, 2) for name in names]
    matrices.append(_weight(weights, _BLOCK + "output", 3))
    shapes = {matrix.shape for matrix in matrices}
    if len(shapes) != 1:
        raise ValueError(
            f"attention weights have shapes {sorted(shapes)} as [heads, head width, width]: "
            "expected one for all"
        )
    heads, head_width, width = matrices[0].shape
    cell = _cell(heads * width, 4 * head_width, _NARROW)
    return esch.draw(
        "r c h w",
        np.stack(matrices),
        title=title,
        row_labels=["W_k", "W_q", "W_v", "W_o"],
        column_labels=[f"head {head}" for head in range(heads)],
        x_label="dimension of the stream",
        y_label="dimension of the head",
        x_ticks=_spaced(width, _ENDS),
        y_ticks=_spaced(head_width, 4),
        normalise="row",
        value_label="weight",
        sign=shown_sign(cell),
        cell=cell,
        vector_limit=_VECTORS,
        style=style,
    )


def mlp_weights(
    weights: Weights, *, ordered: bool = True, title: str = "", style: Style = LIGHT
) -> esch.Drawing:
    """Paper Figure 22: W_in and, transposed, W_out: a column per neuron in both.

    Args:
        weights: name to array: blocks.0.mlp_in [D, F], blocks.0.mlp_out [F, D].
        ordered: whether neurons are sorted by ‖w_in‖·‖w_out‖, the same order in both; else they
            are in stored order.

    Raises:
        ValueError: a weight is missing or has another shape.
    """
    inward = _weight(weights, _BLOCK + "mlp_in", 2)
    outward = _weight(weights, _BLOCK + "mlp_out", 2).T
    if inward.shape != outward.shape:
        raise ValueError(
            f"mlp_in has shape {inward.shape} and mlp_out {outward.T.shape}: expected [D, F] and "
            "[F, D]"
        )
    width, neurons = inward.shape
    cell = _cell(neurons, 2 * width, _NARROW)
    rule = "as stored"
    if ordered:
        strength = np.linalg.norm(inward, axis=0) * np.linalg.norm(outward, axis=0)
        order = np.argsort(-strength, kind="stable")
        inward, outward = inward[:, order], outward[:, order]
        rule = "in order of ‖w_in‖·‖w_out‖"
    return esch.draw(
        "r h w",
        np.stack([inward, outward]),
        title=title,
        row_labels=["W_in", "W_outᵀ"],
        x_label=f"neuron, {rule}",
        y_label="dimension of the stream",
        x_ticks=_spaced(neurons, 9),
        y_ticks=_spaced(width, _ENDS),
        normalise="row",
        value_label="weight",
        sign=shown_sign(cell),
        cell=cell,
        vector_limit=_VECTORS,
        style=style,
    )


def unembedding_weights(weights: Weights, *, title: str = "", style: Style = LIGHT) -> esch.Drawing:
    """Paper Figure 23: W_U, transposed, a row per output: the cosine model has one.

    Args:
        weights: name to array: unembedding [D, V].

    Raises:
        ValueError: the weight is missing or has another shape.
    """
    matrix = _weight(weights, "unembedding", 2).T
    outputs, width = matrix.shape
    cell = _cell(width, outputs, largest=14.0)
    return esch.draw(
        "h w",
        matrix,
        title=title,
        x_label="dimension of the stream",
        y_label="output" if outputs > 1 else "",
        x_ticks=_spaced(width, 9),
        y_ticks=["f(a, b)"] if outputs == 1 else _spaced(outputs, _ENDS),
        value_label="weight of W_U",
        sign=shown_sign(cell),
        cell=cell,
        vector_limit=_VECTORS,
        style=style,
    )


def _weight(weights: Weights, name: str, axes: int) -> NDArray[np.float64]:
    if name not in weights:
        raise ValueError(f"weights hold no {name!r}: found {', '.join(sorted(weights)) or 'none'}")
    array = np.asarray(weights[name], np.float64)
    if array.ndim != axes:
        raise ValueError(f"{name} has shape {array.shape}: expected {axes} axes")
    return array


def _cell(across: int, down: int, room: float = _ROOM, largest: float = _LARGEST) -> float:
    return min(room / across, _TALLEST / down, largest)


def _spaced(size: int, count: int) -> list[int]:
    """About `count` cells at round distances, from 0."""
    for step in (1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256, 500):
        if (size - 1) // step < count:
            return list(range(0, size, step))
    return [0, size - 1]
