"""The forward pass, which computes only what reaches the output.

Only the last position of the last block is read, so the last block has queries and MLP for that
position only. A digit has p values, so the first block's projections are tables over
(position, token), looked up per sample. With one block and an answer token, whose query is the same
for every sample, only W_o, the MLP and the unembedding are computed per sample.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miiii.model.activations import Activations, BlockActivations
from miiii.model.config import Activation, Architecture
from miiii.model.dense import dense
from miiii.model.dropout import BlockMasks
from miiii.model.lookup import lookup
from miiii.model.parameters import Block, Parameters

Edit = Callable[[str, int, Array], Array]
"""From an activation's name, block and value to the value that takes its place."""

ACTIVATIONS: dict[Activation, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "gelu": lambda before: jax.nn.gelu(before, approximate=False),
    "tanh": jnp.tanh,
}
"""The nonlinearities; gelu(x) = x · Φ(x) by the error function (Hendrycks and Gimpel 2016)."""


def forward(
    parameters: Parameters,
    digits: Int[Array, "B 2"],
    masks: tuple[BlockMasks, ...] | None = None,
    edit: Edit | None = None,
) -> tuple[Float[Array, "B V"], Activations]:
    """Run the transformer on numbers given by their digits (paper Eqs. 5 to 9).

    Args:
        parameters: the weights and their architecture.
        digits: the columns x0 and x1.
        masks: dropout factors, one record per block; none: no dropout.
        edit: called with every activation of `intervention.EDITABLE`, in the order in which they
            are computed; its result takes the activation's place. None: the compiled program has
            no trace of it.

    Returns:
        Logits, all tasks side by side, and the named activations. Under `jit`, activations that
        are not used cost nothing.
    """
    blocks, records = parameters.blocks, []
    architecture = parameters.architecture
    residual = None
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        here = _Editing(edit, index)
        if index == 0 and last and parameters.has_answer_token:
            record = _single_block_attention(parameters, block, digits, here)
        elif index == 0:
            record = _first_block_attention(parameters, block, digits, here, last_only=last)
        else:
            record = _attention(block, residual, architecture, here, last_only=last)
        neurons = ACTIVATIONS[architecture.activation]
        activations = _finish_block(block, *record, masks and masks[index], neurons, here)
        records.append(activations)
        residual = activations.residual_out
    assert residual is not None
    # Computed class-major, as the loss reads it: XLA drops the two transposes.
    logits = (parameters.unembedding.T @ residual[:, -1].T).T
    logits = _Editing(edit, len(blocks) - 1)("logits", logits)
    return logits, Activations(blocks=tuple(records), logits=logits)


@partial(jax.jit, static_argnames="names")
def named_activations(
    parameters: Parameters, digits: Int[Array, "B 2"], names: tuple[str, ...]
) -> tuple[Float[Array, "B ..."], ...]:
    """The activations of `names`, among `activations.NAMES`; no other is kept in memory."""
    activations = forward(parameters, digits)[1]
    return tuple(getattr(activations, name) for name in names)


def embeddings(
    parameters: Parameters,
) -> tuple[Float[Array, "2 p D"], Float[Array, "D"] | None]:
    """Token plus position (paper Eq. 5) of both digits for every value, and of the answer token.

    Returns:
        The digits' table, and the answer token's row, None in a model without one.
    """
    positions = parameters.position_embedding
    tables = digit_tokens(parameters) + positions[:2, None]
    if not parameters.has_answer_token:
        return tables, None
    return tables, parameters.token_embedding[-1] + positions[2]


def digit_tokens(parameters: Parameters) -> Float[Array, "1|2 p D"]:
    """The rows of the digits' tokens: one table for both digits, or one for each."""
    tokens = parameters.token_embedding
    digits = tokens[None, :-1] if parameters.has_answer_token else tokens[None]
    if parameters.architecture.digit_tokens == "separate":
        return digits.reshape(2, parameters.base, -1)
    return digits


class _Editing:
    """One block's edits; without any, values pass through unchanged."""

    def __init__(self, edit: Edit | None, block: int) -> None:
        self._edit, self._block = edit, block

    def __call__(self, name: str, value: Array) -> Array:
        return value if self._edit is None else self._edit(name, self._block, value)

    def positions(self, name: str, parts: Sequence[Array]) -> Sequence[Array]:
        """Edit one array [B, H] per position, handed to the edit as [B, H, 1, T]."""
        if self._edit is None:
            return parts
        edited = self(name, jnp.stack(parts, axis=-1)[:, :, None])
        return [edited[:, :, 0, position] for position in range(len(parts))]


def _edited_embeddings(parameters: Parameters, edit: _Editing):
    tables, answer = embeddings(parameters)
    tables = edit("digit_embeddings", tables)
    return tables, None if answer is None else edit("answer_embedding", answer)


def _single_block_attention(
    parameters: Parameters, block: Block, digits: Int[Array, "B 2"], edit: _Editing
):
    """The answer token's attention in a model of one block.

    The query is one constant vector, so a token's score is one number per head: the product of its
    embedding with W_k q. Scores and values of each digit are two tables, joined so that one lookup
    serves both.
    """
    heads, width, head_width = block.query.shape
    tables, answer = _edited_embeddings(parameters, edit)
    assert answer is not None
    query = jnp.einsum("d,hdk->hk", answer, block.query)
    score_direction = jnp.einsum("hdk,hk->dh", block.key, query) / math.sqrt(head_width)
    projection = jnp.concatenate(
        [block.value.transpose(1, 0, 2).reshape(width, heads * head_width), score_direction], axis=1
    )
    per_token, of_answer = tables @ projection, answer @ projection
    # jnp.split rather than slices: its gradient is one concatenation.
    cut = [heads * head_width]
    rows = [lookup(per_token[position], digits[:, position]) for position in range(2)]
    parts = [jnp.split(row, cut, axis=1) for row in [*rows, of_answer[None]]]
    values = [value.reshape(-1, heads, head_width) for value, _ in parts]
    # Three arrays [B, H] rather than one with a last axis of three, which XLA vectorises badly.
    # The largest score is subtracted so that no exp overflows; the softmax's value and gradient do
    # not depend on it, so it is left out of the gradient.
    scores = [jnp.broadcast_to(score, (digits.shape[0], heads)) for _, score in parts]
    scores = edit.positions("attention_scores", scores)
    largest = jax.lax.stop_gradient(jnp.maximum(jnp.maximum(*scores[:2]), scores[2]))
    exponentials = [jnp.exp(score - largest) for score in scores]
    total = exponentials[0] + exponentials[1] + exponentials[2]
    weights = [exponential / total for exponential in exponentials]
    coefficient = parameters.architecture.attention_coefficient
    if coefficient != 1:
        weights = [coefficient * weight + (1 - coefficient) for weight in weights]
    weights = edit.positions("attention_weights", weights)
    mixed = (
        weights[0][..., None] * values[0]
        + weights[1][..., None] * values[1]
        + weights[2][..., None] * values[2]
    )
    stacked = (jnp.stack(rows, axis=-1)[:, :, None] for rows in (scores, weights))
    return *stacked, mixed[:, None], answer[None, None]


def _first_block_attention(
    parameters: Parameters,
    block: Block,
    digits: Int[Array, "B 2"],
    edit: _Editing,
    *,
    last_only: bool,
):
    """Attention of a first block, its projections looked up; `last_only`: one query position."""
    heads, width, head_width = block.query.shape
    tables, answer = _edited_embeddings(parameters, edit)
    projection = jnp.stack([block.query, block.key, block.value])
    projection = projection.transpose(2, 0, 1, 3).reshape(width, 3 * heads * head_width)
    # The embedding is looked up with its projections: it is the block's residual stream.
    per_token = jnp.concatenate([tables @ projection, tables], axis=-1)
    answer_row = None if answer is None else jnp.concatenate([answer @ projection, answer])
    samples = digits.shape[0]
    rows = [lookup(per_token[position], digits[:, position]) for position in range(2)]
    if answer_row is not None:
        rows.append(jnp.broadcast_to(answer_row, (samples, answer_row.shape[0])))
    joined = jnp.stack(rows, axis=1)
    projected, residual = joined[..., :-width], joined[..., -width:]
    projected = projected.reshape(samples, len(rows), 3, heads, head_width)
    query, key, value = projected[:, :, 0], projected[:, :, 1], projected[:, :, 2]
    if last_only:
        query, residual = query[:, -1:], residual[:, -1:]
    return *_attend(query, key, value, parameters.architecture, edit), residual


def _attention(
    block: Block,
    residual: Float[Array, "B T D"] | None,
    architecture: Architecture,
    edit: _Editing,
    *,
    last_only: bool,
):
    """A later block's attention; `last_only`: from the last position only."""
    assert residual is not None
    entering = residual[:, -1:] if last_only else residual
    query = jnp.einsum("bqd,hdk->bqhk", entering, block.query)
    key = jnp.einsum("btd,hdk->bthk", residual, block.key)
    value = jnp.einsum("btd,hdk->bthk", residual, block.value)
    return *_attend(query, key, value, architecture, edit), entering


def _attend(
    query: Float[Array, "B Q H K"],
    key: Float[Array, "B T H K"],
    value: Float[Array, "B T H K"],
    architecture: Architecture,
    edit: _Editing,
):
    """Scaled dot-product attention (paper Eq. 6): scores, weights, mixed values.

    With the coefficient c the weights are c · softmax + (1 − c) at the positions that the mask lets
    through, and 0 elsewhere, so that a causal model stays causal. (Zhong et al. 2023, §2, have no
    mask.)
    """
    scores = jnp.einsum("bqhk,bthk->bhqt", query, key) / math.sqrt(query.shape[-1])
    queries, seen = query.shape[1], key.shape[1]
    if architecture.attention_mask == "full":
        visible = jnp.ones((queries, seen), bool)
    else:
        visible = jnp.arange(seen) <= jnp.arange(seen - queries, seen)[:, None]
        scores = jnp.where(visible, scores, -jnp.inf)
    scores = edit("attention_scores", scores)
    weights = jax.nn.softmax(scores, axis=-1)
    coefficient = architecture.attention_coefficient
    if coefficient != 1:
        weights = jnp.where(visible, coefficient * weights + (1 - coefficient), 0)
    weights = edit("attention_weights", weights)
    return scores, weights, jnp.einsum("bhqt,bthk->bqhk", weights, value)


def _finish_block(
    block: Block,
    scores: Float[Array, "B H Q T"],
    weights: Float[Array, "B H Q T"],
    mixed: Float[Array, "B Q H K"],
    residual_in: Float[Array, "B Q D"],
    masks: BlockMasks | None,
    neurons: Callable[[Array], Array],
    edit: _Editing,
) -> BlockActivations:
    """Output projection, residual sums with dropout on each, and the MLP (paper Eq. 7).

    With biases the MLP is W_out · act(W_in · x + b_in) + b_out.
    """
    width = residual_in.shape[-1]
    mixed = edit("attention_mixed", mixed)
    flat = mixed.reshape(*mixed.shape[:-2], -1)
    attention_output = edit("attention_output", _rows(flat, block.output.reshape(-1, width)))
    residual_mid = residual_in + attention_output
    if masks is not None:
        residual_mid = residual_mid * masks.attention
    residual_mid = edit("residual_mid", residual_mid)
    mlp_pre = edit("mlp_pre", _rows(residual_mid, block.mlp_in, block.mlp_in_bias))
    mlp_hidden = edit("mlp_hidden", neurons(mlp_pre))
    mlp_output = edit("mlp_output", _rows(mlp_hidden, block.mlp_out, block.mlp_out_bias))
    residual_out = residual_mid + mlp_output
    if masks is not None:
        residual_out = residual_out * masks.mlp
    residual_out = edit("residual_out", residual_out)
    return BlockActivations(
        residual_in=residual_in,
        attention_scores=scores,
        attention_weights=weights,
        attention_mixed=mixed,
        attention_output=attention_output,
        residual_mid=residual_mid,
        mlp_pre=mlp_pre,
        mlp_hidden=mlp_hidden,
        mlp_output=mlp_output,
        residual_out=residual_out,
    )


def _rows(
    inputs: Float[Array, "B Q C"],
    weight: Float[Array, "C F"],
    bias: Float[Array, "F"] | None = None,
) -> Float[Array, "B Q F"]:
    """`dense` over samples and positions alike."""
    flat = dense(inputs.reshape(-1, inputs.shape[-1]), weight)
    rows = flat.reshape(*inputs.shape[:-1], weight.shape[-1])
    return rows if bias is None else rows + bias
