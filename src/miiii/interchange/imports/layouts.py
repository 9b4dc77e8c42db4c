"""Which way round the matrices of a file stand, found out by their shapes.

| name | 2022 | TransformerLens |
|---|---|---|
| embed.W_E | [d_model, d_vocab] | [d_vocab, d_model] |
| blocks.N.attn.W_Q, W_K, W_V | [heads, d_head, d_model] | [heads, d_model, d_head] |
| blocks.N.attn.W_O | [d_model, heads · d_head] | [heads, d_head, d_model] |
| blocks.N.mlp.W_in | [d_mlp, d_model] | [d_model, d_mlp] |
| blocks.N.mlp.W_out | [d_model, d_mlp] | [d_mlp, d_model] |

pos_embed.W_pos [n_ctx, d_model] and unembed.W_U [d_model, d_vocab] are the same in both, so that
W_pos tells d_model. "2022" is the layout of the code behind Nanda et al. 2023, which Zhong et al.
2023 took over. A matrix that is square tells nothing; W_O of 2022 is square as a rule.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

State = Mapping[str, NDArray[Any]]

Layout = Literal["2022", "transformer-lens"]

_TURNED = ("attn.W_Q", "attn.W_K", "attn.W_V", "mlp.W_in", "mlp.W_out")


def find_layout(state: State, given: Layout | None = None) -> Layout:
    """Tell the layout of a state dict with HookedTransformer's names.

    Args:
        state: the weights by name.
        given: what the user says, for shapes that cannot tell.

    Raises:
        ValueError: shapes fit neither layout, or contradict each other or what is given; or
            nothing is given and they cannot tell.
    """
    width = _width(state)
    votes: dict[str, Layout] = {}
    for name in sorted(state):
        if (vote := _vote(name, state[name], width)) is not None:
            votes[name] = vote
    found = set(votes.values())
    if given is not None:
        against = next((name for name, vote in votes.items() if vote != given), None)
        if against is not None:
            raise ValueError(
                f"{against} is {list(state[against].shape)} where d_model is {width}: --layout "
                f"{given} does not fit it"
            )
        return given
    if len(found) == 1:
        return next(iter(votes.values()))
    if found:
        first = {vote: name for name, vote in votes.items()}
        raise ValueError(
            "the shapes contradict each other: "
            + ", ".join(
                f"{first[one]} {list(state[first[one]].shape)} is laid out as {one}"
                for one in sorted(found)
            )
        )
    raise ValueError(
        "every matrix is square, so that shapes do not tell which way round they stand: give "
        "--layout 2022 or --layout transformer-lens"
    )


def turn(state: State, layout: Layout) -> dict[str, NDArray[Any]]:
    """The weights as TransformerLens has them: matrices multiply from the right, heads apart.

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
        raise ValueError(
            f"pos_embed.W_pos is {list(positions.shape)}: expected [n_ctx, d_model], a row per "
            "position"
        )
    return positions.shape[1]


def _vote(name: str, array: NDArray[Any], width: int) -> Layout | None:
    """The layout that a matrix's shape tells; None where it fits both.

    Raises:
        ValueError: it fits neither.
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
            f"{name} is {list(shape)} where d_model is {width}: expected {wanted}, as "
            "TransformerLens has them, or turned round, as the code of 2022"
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
        "TransformerLens has it, or [d_model, heads · d_head], as the code of 2022"
    )
