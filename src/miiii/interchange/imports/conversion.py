"""Convert a published model's weights to this package's transformer, exactly or not at all.

Parts that the transformer here lacks are left out if they change nothing, folded into weights if
that is exact, and refused otherwise:

- left out: key biases b_K, which add the same to every score of a query, so that the softmax
  removes them;
- left out: an unembedding bias b_U that is equal for all classes, which changes no answer or loss;
- folded: query biases b_Q of a model of one block with "=". The only query is that of "=", with the
  same vector e for all inputs, so W_Q + eᵀ b_Q / (e·e) gives the same query;
- folded: value and output biases b_V and b_O. Attention weights sum to 1, so they add one vector to
  attention's output, which goes into the MLP's biases;
- folded: an attention scale other than √K, into W_Q;
- filled up with zeros: heads that do not divide the width, and neurons that are no multiple of it;
- refused: every other bias that is not zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.interchange.imports.biases import is_bias, treat_biases
from miiii.interchange.imports.descriptions import other_network
from miiii.interchange.imports.foreign_settings import ForeignSettings, read_settings
from miiii.interchange.imports.layouts import Layout, find_layout, turn
from miiii.interchange.imports.shapes import Shapes, check_shapes, fill_up, fold_scale
from miiii.interchange.imports.state_names import plain_names
from miiii.interchange.names import HOOKED, bridge_to_hooked, depth_of

State = Mapping[str, NDArray[Any]]

_BUFFERS = (".mask", ".IGNORE", ".causal_mask")


@dataclass(frozen=True)
class Converted:
    """A checkpoint's model in this package's terms.

    Attributes:
        weights: by this package's names, float32 or float64.
        base: p.
        model: settings of `ModelConfig` that do not follow from the weights.
        extra_classes: [D, n], the unembedding of the classes from p on, which are no answers and
            are left out of `weights`; None if there are none.
        settings: the model's settings in its file.
        layout: the layout of the file's matrices.
        notes: a line for each part that was left out, folded or assumed.
    """

    weights: dict[str, NDArray[Any]]
    base: int
    model: dict[str, Any]
    extra_classes: NDArray[Any] | None
    settings: ForeignSettings
    layout: Layout
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """Properties of a model that the user gives; None: they follow from the file.

    Attributes:
        layout: the layout of the matrices.
        base: p.
    """

    layout: Layout | None = None
    base: int | None = None


def convert(state: State, config: Mapping[str, Any], given: Given = Given()) -> Converted:
    """Convert a state dict of a published model to weights of this package's transformer.

    Args:
        state: the weights by name. Tokens 0 … p − 1 belong to the first digit, and to the second
            unless it has p … 2p − 1; the last token may be "=". Classes are 0 … p − 1; others may
            follow.
        config: the model's settings; empty if unknown.
        given: properties that the user gives.

    Raises:
        ValueError: it is no such model, or has a part that this transformer lacks.
    """
    named, changes = plain_names(state)
    notes = list(changes)
    state = {name: array for name, array in named.items() if not name.endswith(_BUFFERS)}
    if (other := other_network(state, config)) is not None:
        raise ValueError(f"it is {other}")
    settings = read_settings(config)
    version_4 = "embed.weight" in state  # TransformerBridge's name.
    if version_4:
        state = bridge_to_hooked(state, _heads(settings))
        layout: Layout = "transformer-lens"
    else:
        layout = find_layout(state, given.layout)
    state = turn(state, layout)
    weights = _collect(state)
    depth = depth_of(weights)
    shapes = check_shapes(weights, depth, settings, given.base)
    weights["position_embedding"] = weights["position_embedding"][: shapes.positions]
    model = _model(shapes, settings, layout, depth, notes)
    biases = {name: one for name, one in state.items() if is_bias(name)}
    model["mlp_bias"] = treat_biases(biases, weights, depth, model["answer_token"], notes)
    scale = _scale(settings, version_4, shapes, notes)
    weights, model["heads"] = fill_up(weights, depth, notes)
    fold_scale(weights, scale, depth, notes)
    extra = _extra_classes(weights, shapes, notes)
    return Converted(weights, shapes.base, model, extra, settings, layout, tuple(notes))


def _heads(settings: ForeignSettings) -> int:
    if not settings.heads:
        raise ValueError(
            "the number of heads does not follow from weights with TransformerLens 4's names: put "
            "the model's config.json with n_heads beside the file"
        )
    return settings.heads


def _collect(state: State) -> dict[str, NDArray[Any]]:
    """The weights by this package's names; refuses missing and unknown ones."""
    names = {hooked: name for name, hooked in HOOKED.items()}
    found: dict[str, NDArray[Any]] = {}
    norms, unknown, unfit = [], [], []
    for name, array in state.items():
        block, _, rest = name.removeprefix("blocks.").partition(".")
        inside = name.startswith("blocks.") and block.isdecimal() and len(block) < 4
        suffix = rest if inside else name
        if suffix in names:
            dtype = np.float64 if array.dtype == np.float64 else np.float32
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                unfit.append(name)
                continue
            key = f"blocks.{block}.{names[suffix]}" if inside else names[suffix]
            found[key] = np.array(array, dtype)
        elif not is_bias(name):
            (norms if ".ln" in f".{suffix}" else unknown).append(name)
    _refuse(norms, unknown, unfit)
    _check_complete(found)
    if len({array.dtype for array in found.values()}) > 1:
        found = {key: array.astype(np.float64) for key, array in found.items()}
    return found


def _refuse(norms: list[str], unknown: list[str], unfit: list[str]) -> None:
    """Refuse weights that cannot be used, all in one message."""
    refused = []
    for names, problem in (
        (norms, "is a layer norm, which this transformer lacks"),
        (unknown, "is not known: this transformer has no such weight"),
        (unfit, "has numbers that are not finite and real"),
    ):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            refused.append(f"{names[0]}{more} {problem}")
    if refused:
        raise ValueError("; ".join(refused))


def _check_complete(found: Mapping[str, NDArray[Any]]) -> None:
    inner = ("query", "key", "value", "output", "mlp_in", "mlp_out")
    for key in (
        *("token_embedding", "position_embedding"),
        *(f"blocks.{block}.{name}" for block in range(max(depth_of(found), 1)) for name in inner),
        "unembedding",
    ):
        if key not in found:
            prefix, _, last = key.rpartition(".")
            hooked = ".".join(filter(None, (prefix, HOOKED[last])))
            raise ValueError(f"{hooked} is missing: expected a transformer with attention and MLP")


def _model(
    shapes: Shapes, settings: ForeignSettings, layout: Layout, depth: int, notes: list[str]
) -> dict[str, Any]:
    """The transformer's settings; unknown ones are assumed, with a note."""
    assumed = []
    activation = settings.activation
    if activation is None:
        activation = "relu"
        assumed.append("ReLU")
    mask = settings.attention_mask
    if mask is None:
        # The code of Nanda et al. applies the mask; that of Zhong et al., without "=", does not.
        mask = "causal" if shapes.answer_token or layout == "transformer-lens" else "full"
        if depth > 1:
            assumed.append(f"{mask} attention")
    coefficient = settings.attention_coefficient
    if coefficient is None:
        coefficient = 1.0
        if layout == "2022" and settings.kind == "none":
            assumed.append("attention weights that are a softmax")
    if settings.kind == "none":
        notes.append(
            f"the file has no settings: {_listed([*assumed, 'no layer norm'])} were assumed"
        )
    elif assumed:
        notes.append(f"its settings do not name {_listed(assumed)}, which was assumed")
    return {
        "activation": activation,
        "answer_token": shapes.answer_token,
        "attention_mask": mask,
        "attention_coefficient": coefficient,
        "digit_tokens": "separate" if shapes.separate_tokens else "shared",
    }


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _scale(settings: ForeignSettings, version_4: bool, shapes: Shapes, notes: list[str]) -> float:
    """The divisor of attention scores.

    With `use_attn_scale`, both versions of TransformerLens divide by `attn_scale`, or by √d_head if
    it is not set. Without `use_attn_scale`, version 4 divides by √d_head and version 2 by 1.
    """
    scale = settings.attention_scale
    if version_4 and settings.unscaled:
        notes.append(
            "its settings say use_attn_scale false, but its names are TransformerLens 4's, whose "
            f"model divides scores by √{shapes.head_width} even so: scores are divided here too"
        )
        return shapes.head_width**0.5
    if settings.unscaled:
        notes.append(
            "its settings say use_attn_scale false, and its names are TransformerLens 2's: its "
            "model does not divide scores"
        )
        return 1.0
    return scale if scale is not None else shapes.head_width**0.5


def _extra_classes(
    weights: dict[str, NDArray[Any]], shapes: Shapes, notes: list[str]
) -> NDArray[Any] | None:
    unembedding, base = weights["unembedding"], shapes.base
    if unembedding.shape[1] == base:
        return None
    weights["unembedding"] = unembedding[:, :base]
    extra = unembedding[:, base:]
    if extra.shape[1] == 1:
        notes.append(f"class {base} ('='), which is no answer, was left out")
    else:
        last = unembedding.shape[1] - 1
        notes.append(
            f"classes {base} … {last} (of other tokens), which are no answers, were left out"
        )
    return extra
