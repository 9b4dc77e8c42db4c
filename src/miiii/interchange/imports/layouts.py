"""Find the layout of a file's matrices from their shapes.

| name | 2022 | TransformerLens |
|---|---|---|
| embed.W_E | [d_model, d_vocab] | [d_vocab, d_model] |
| blocks.N.attn.W_Q, W_K, W_V | [heads, d_head, d_model] | [heads, d_model, d_head] |
| blocks.N.attn.W_O | [d_model, heads · d_head] | [heads, d_head, d_model] |
| blocks.N.mlp.W_in | [d_mlp, d_model] | [d_model, d_mlp] |
| blocks.N.mlp.W_out | [d_model, d_mlp] | [d_mlp, d_model] |

pos_embed.W_pos [n_ctx, d_model] and unembed.W_U [d_model, d_vocab] are the same in both, so that
W_pos gives d_model. "2022" is the layout of the code of Nanda et al. 2023, which Zhong et al. 2023
also use. A square matrix fits both layouts; W_O of 2022 is usually square.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

State = Mapping[str, NDArray[Any]]

Layout = Literal["2022", "transformer-lens"]

_TURNED = ("attn.W_Q", "attn.W_K", "attn.W_V", "mlp.W_in", "mlp.W_out")


def find_layout(state: State, given: Layout | None = None) -> Layout:
    """Find the layout of a state dict with HookedTransformer's names.

    Args:
        state: the weights by name.
        given: the layout that the user gives; needed if all shapes fit both.

    Raises:
        ValueError: shapes fit neither layout, contradict each other or `given`, or all fit both
            layouts and none is given.
    """
    width = _width(state)
    votes: dict[str, Layout] = {}
    for name in sorted(state):
        if (vote := _vote(name, state[name], width)) is not None:
            votes[name] = vote
    if given is not None:
        against = next((name for name, vote in votes.items() if vote != given), None)
        if against is not None:
            raise ValueError(
                f"{against} is {list(state[against].shape)} where d_model is {width}: --layout "
                f"{given} does not fit it"
            )
        return given
    examples: dict[Layout, str] = {vote: name for name, vote in votes.items()}
    if len(examples) == 1:
        return next(iter(examples))
    if examples:
        parts = [
            f"{name} {list(state[name].shape)} has the layout {vote}"
            for vote, name in sorted(examples.items())
        ]
        raise ValueError(f"the shapes contradict each other: {', '.join(parts)}")
    raise ValueError(
        "every matrix is square, so the layout does not follow from the shapes: give --layout 2022 "
        "or --layout transformer-lens"
    )


def turn(state: State, layout: Layout) -> dict[str, NDArray[Any]]:
    """The weights in TransformerLens' layout: matrices multiply from the right, one per head.

    Raises:
        ValueError: W_O cannot be divided among the heads.
    """
    found = dict(state)
    for name, array in state.items():
        if layout == "2022" and name.endswith(_TURNED) and array.ndim > 1:
            found[name] = np.swapaxes(array, -1, -2)
        if name.endswith("attn.W_O") and array.ndim == 2:
            query = state.get(name.removesuffix("W_O") + "W_Q")
            heads = query.shape[0] if query is not None and query.ndim == 3 else 1
            rows = array.T if layout == "2022" else array
            if rows.shape[0] % heads:
                raise ValueError(
                    f"{name} is {list(array.shape)}: {heads} heads cannot share its rows"
                )
            found[name] = rows.reshape(heads, -1, rows.shape[1])
    if layout == "2022" and "embed.W_E" in found:
        found["embed.W_E"] = found["embed.W_E"].T
    return found


def _width(state: State) -> int:
    positions = state.get("pos_embed.W_pos")
    if positions is None:
        raise ValueError("pos_embed.W_pos is missing: expected a transformer with learnt positions")
    if positions.ndim != 2:
        raise ValueError(f"pos_embed.W_pos is {list(positions.shape)}: expected [n_ctx, d_model]")
    return positions.shape[1]


def _vote(name: str, array: NDArray[Any], width: int) -> Layout | None:
    """The layout that a matrix's shape fits; None if it fits both.

    Raises:
        ValueError: the shape fits neither.
    """
    shape = array.shape
    if name == "embed.W_E":
        wanted, axes, old = "[d_vocab, d_model]", 2, shape[:1]
    elif name.endswith(_TURNED[:3]):
        wanted, axes, old = "[heads, d_model, d_head]", 3, shape[2:]
    elif name.endswith("mlp.W_in"):
        wanted, axes, old = "[d_model, d_mlp]", 2, shape[1:]
    elif name.endswith("mlp.W_out"):
        wanted, axes, old = "[d_mlp, d_model]", 2, shape[:1]
    elif name.endswith("attn.W_O"):
        return _vote_of_output(name, shape, width)
    else:
        return None
    if len(shape) != axes or width not in shape[-2:]:
        raise ValueError(
            f"{name} is {list(shape)} where d_model is {width}: expected {wanted}, as in "
            "TransformerLens, or its transpose, as in the code of 2022"
        )
    if shape[-1] == shape[-2]:
        return None
    return "2022" if old == (width,) else "transformer-lens"


def _vote_of_output(name: str, shape: tuple[int, ...], width: int) -> Layout | None:
    if len(shape) == 3 and shape[2] == width:
        return "transformer-lens"
    if len(shape) == 2 and width in shape:
        return None if shape[0] == shape[1] else "2022" if shape[0] == width else "transformer-lens"
    raise ValueError(
        f"{name} is {list(shape)} where d_model is {width}: expected [heads, d_head, d_model], as "
        "in TransformerLens, or [d_model, heads · d_head], as in the code of 2022"
    )
