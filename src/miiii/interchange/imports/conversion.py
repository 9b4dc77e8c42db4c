"""TransformerLens' weights as ours: exactly, or not at all.

What our transformer has no place for is refused unless it changes nothing:

- key biases b_K add the same to every score of a query, which the softmax takes away: left out;
- an unembedding bias b_U that is the same for all classes changes no answer and no loss: left out;
- query biases b_Q of a model of one block: the only query is the answer token's, one vector e for
  all inputs, so W_Q + eᵀ b_Q / (e·e) gives it the same query: folded;
- an attention scale other than √K: folded into W_Q;
- every other bias must be zero.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from miiii.interchange.names import HOOKED, bridge_to_hooked, depth_of, is_bridge

State = Mapping[str, NDArray[Any]]

POSITIONS = 3
"""The tokens a, b and "=", as in `model.parameters`, which would bring JAX along."""

_BUFFERS = (".mask", ".IGNORE")
_EXPECTED: dict[str, tuple[Any, ...]] = {
    "act_fn": ("relu",),
    "normalization_type": (None,),
    "positional_embedding_type": ("standard",),
    "attn_only": (False,),
    "gated_mlp": (False,),
    "parallel_attn_mlp": (False,),
    "use_local_attn": (False,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "attn_scores_soft_cap": (-1, 0),
    "output_logits_soft_cap": (-1, 0),
}
"""Settings of TransformerLens that our transformer has built in."""


@dataclass(frozen=True)
class Converted:
    """A model of ours.

    Attributes:
        weights: by our names, float32 or float64.
        base: p.
        extra_class: [D], the unembedding of a class p that is no answer, where the model had one;
            it is left out.
        notes: what was left out or folded, a line each.
    """

    weights: dict[str, NDArray[Any]]
    base: int
    extra_class: NDArray[Any] | None
    notes: tuple[str, ...]


def convert(state: State, config: Mapping[str, Any]) -> Converted:
    """Turn a state dict of `HookedTransformer` or `TransformerBridge` into ours.

    Args:
        state: the weights by name; tokens 0 … p − 1 are digits and p says "=", classes are 0 … p −
            1 (a class p may follow).
        config: the model's settings where known, with TransformerLens' names.

    Raises:
        ValueError: it is no such model, or has what ours has no place for.
    """
    _check_config(config)
    state = {name: array for name, array in state.items() if not name.endswith(_BUFFERS)}
    if is_bridge(state):
        state = bridge_to_hooked(state, _heads(config))
    weights = _collect(state)
    depth = depth_of(weights)
    base, tokens = _check_shapes(weights, depth)
    if depth > 1 and config.get("attention_dir", "causal") != "causal":
        raise ValueError(
            f"attention_dir is {config['attention_dir']!r}: with {depth} blocks it must be 'causal'"
        )
    notes: list[str] = []
    weights["position_embedding"] = weights["position_embedding"][:POSITIONS]
    _treat_biases(state, weights, depth, notes)
    _fold_scale(weights, config, depth, notes)
    extra = None
    if weights["unembedding"].shape[1] == tokens:
        extra = weights["unembedding"][:, -1]
        weights["unembedding"] = weights["unembedding"][:, :-1]
        notes.append(f"class {base} ('='), which is no answer, was left out")
    return Converted(weights, base, extra, tuple(notes))


def _check_config(config: Mapping[str, Any]) -> None:
    for name, allowed in _EXPECTED.items():
        if name in config and config[name] not in allowed:
            raise ValueError(
                f"{name} is {config[name]!r}: expected {allowed[0]!r}, "
                "for which alone this transformer has a place"
            )


def _heads(config: Mapping[str, Any]) -> int:
    heads = config.get("n_heads")
    if not isinstance(heads, int) or heads < 1:
        raise ValueError(
            "the weights have TransformerBridge's names, which do not tell the number of heads: "
            "put the model's config.json with n_heads beside the file"
        )
    return heads


def _collect(state: State) -> dict[str, NDArray[Any]]:
    """The weights by our names; refuses what is missing, and what is neither weight nor bias."""
    ours = {theirs: name for name, theirs in HOOKED.items()}
    found: dict[str, NDArray[Any]] = {}
    for name, array in state.items():
        block, _, rest = name.removeprefix("blocks.").partition(".")
        inside = name.startswith("blocks.") and block.isdigit()
        suffix = rest if inside else name
        if suffix in ours:
            dtype = np.float64 if array.dtype == np.float64 else np.float32
            if array.dtype.kind != "f" or not np.isfinite(array).all():
                raise ValueError(f"{name} is not of finite real numbers")
            key = f"blocks.{block}.{ours[suffix]}" if inside else ours[suffix]
            found[key] = np.array(array, dtype)
        elif not _is_bias(suffix):
            what = "a layer norm" if ".ln" in f".{suffix}" else "something that is not known"
            raise ValueError(f"{name} is {what}: this transformer has no place for it")
    blocks = max(depth_of(found), 1)
    inner = ("query", "key", "value", "output", "mlp_in", "mlp_out")
    for key in (
        *("token_embedding", "position_embedding"),
        *(f"blocks.{block}.{name}" for block in range(blocks) for name in inner),
        "unembedding",
    ):
        if key not in found:
            prefix, _, last = key.rpartition(".")
            theirs = ".".join(filter(None, (prefix, HOOKED[last])))
            raise ValueError(f"{theirs} is missing: expected a transformer with attention and MLP")
    if len({array.dtype for array in found.values()}) > 1:
        found = {key: array.astype(np.float64) for key, array in found.items()}
    return found


def _is_bias(suffix: str) -> bool:
    return suffix in {"unembed.b_U", "mlp.b_in", "mlp.b_out"} or (
        suffix.startswith("attn.b_") and suffix[7:] in {"Q", "K", "V", "O"}
    )


def _check_shapes(weights: Mapping[str, NDArray[Any]], depth: int) -> tuple[int, int]:
    """Returns p and the number of tokens."""
    embedding, positions = weights["token_embedding"], weights["position_embedding"]
    if embedding.ndim != 2 or positions.ndim != 2 or embedding.shape[1] != positions.shape[1]:
        raise ValueError(
            f"embed.W_E is {list(embedding.shape)} and pos_embed.W_pos {list(positions.shape)}: "
            "expected [d_vocab, d_model] and [n_ctx, d_model], as TransformerLens has them"
        )
    (tokens, width), base = embedding.shape, embedding.shape[0] - 1
    if len(positions) < POSITIONS:
        raise ValueError(f"n_ctx is {len(positions)}: expected the 3 tokens a, b and '='")
    classes = weights["unembedding"].shape[-1]
    if base < 3 or classes not in (base, tokens):
        raise ValueError(
            f"there are {tokens} tokens and {classes} classes: expected p + 1 tokens (the digits "
            "and '=') and p classes"
        )
    heads, _, head_width = _shape3(weights["blocks.0.query"])
    neurons = weights["blocks.0.mlp_in"].shape[-1]
    if heads * head_width != width:
        raise ValueError(f"{heads} heads of {head_width} do not make up d_model, {width}")
    if neurons % width:
        raise ValueError(f"d_mlp is {neurons}: expected a multiple of d_model, {width}")
    expected: dict[str, tuple[int, ...]] = {"unembedding": (width, classes)}
    for block in range(depth):
        for name in ("query", "key", "value"):
            expected[f"blocks.{block}.{name}"] = (heads, width, head_width)
        expected[f"blocks.{block}.output"] = (heads, head_width, width)
        expected[f"blocks.{block}.mlp_in"] = (width, neurons)
        expected[f"blocks.{block}.mlp_out"] = (neurons, width)
    for key, shape in expected.items():
        if weights[key].shape != shape:
            raise ValueError(f"{key} is {list(weights[key].shape)}: expected {list(shape)}")
    return base, tokens


def _shape3(array: NDArray[Any]) -> tuple[int, int, int]:
    if array.ndim != 3:
        raise ValueError(f"blocks.0.attn.W_Q is {list(array.shape)}: expected one matrix per head")
    return array.shape[0], array.shape[1], array.shape[2]


def _fold_scale(
    weights: dict[str, NDArray[Any]], config: Mapping[str, Any], depth: int, notes: list[str]
) -> None:
    ours = math.sqrt(weights["blocks.0.query"].shape[2])
    given = config.get("attn_scale", -1)
    theirs = ours if not isinstance(given, int | float) or given <= 0 else float(given)
    theirs = theirs if config.get("use_attn_scale", True) else 1.0
    if math.isclose(theirs, ours, rel_tol=1e-6):
        return
    for block in range(depth):
        weights[f"blocks.{block}.query"] *= ours / theirs
    notes.append(f"the attention scale {theirs:g} was folded into W_Q (ours is √{ours**2:g})")


def _treat_biases(
    state: State, weights: dict[str, NDArray[Any]], depth: int, notes: list[str]
) -> None:
    folded = {}
    for name, array in state.items():
        if not _is_bias(name.split(".", 2)[-1] if name.startswith("blocks.") else name):
            continue
        if not np.any(array):
            continue
        last = name.rpartition(".")[2]
        if last == "b_K":
            notes.append(f"{name} adds the same to every score of a query and was left out")
        elif last == "b_U" and np.ptp(array) == 0:
            notes.append(f"{name} is the same for all classes and was left out")
        elif last == "b_Q" and depth == 1:
            folded[name] = array
        else:
            why = " (a model of one block could have it folded)" if last == "b_Q" else ""
            raise ValueError(
                f"{name} is not zero (up to {np.abs(array).max():.3g}): this transformer has no "
                f"biases, and it cannot be folded into the weights{why}"
            )
    for name, bias in folded.items():
        _fold_query_bias(weights, name, bias, notes)


def _fold_query_bias(
    weights: dict[str, NDArray[Any]], name: str, bias: NDArray[Any], notes: list[str]
) -> None:
    answer = (weights["token_embedding"][-1] + weights["position_embedding"][-1]).astype(np.float64)
    square = answer @ answer
    query = weights["blocks.0.query"]
    if not square > 0 or bias.shape != (query.shape[0], query.shape[2]):
        raise ValueError(f"{name} cannot be folded: the answer token's embedding is zero")
    update = answer[None, :, None] * bias[:, None, :].astype(np.float64) / square
    weights["blocks.0.query"] = (query + update).astype(query.dtype)
    notes.append(f"{name} was folded into W_Q: the only query is the answer token's")
