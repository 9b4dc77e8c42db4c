"""A transformer as a textbook writes it: every position through every layer, one head at a time."""

import jax.numpy as jnp
import jax.scipy.special
import numpy as np

from miiii.model.config import ModelConfig

PAPER = ModelConfig()


def softmax(scores):
    exponentials = jnp.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def relu(before):
    return jnp.maximum(before, 0)


def gelu(before):
    """Hendrycks and Gimpel (2016): x times the normal distribution's Φ(x)."""
    return before * (1 + jax.scipy.special.erf(before / np.sqrt(2))) / 2


ACTIVATIONS = {"relu": relu, "gelu": gelu, "tanh": jnp.tanh}


def tokens_of(config, digits, rows):
    """[B, T]: x1's tokens begin anew where they are separate; the last token says "answer"."""
    x0, x1 = digits[:, 0], digits[:, 1]
    if config.digit_tokens == "separate":
        x1 = x1 + (rows - config.answer_token) // 2
    columns = [x0, x1]
    if config.answer_token:
        columns.append(jnp.full(len(digits), rows - 1))
    return jnp.stack(columns, axis=1)


def textbook_forward(parameters, digits, masks=None, config=PAPER):
    """Logits [B, V].

    Args:
        parameters: the weights; what their record says beside them is not read.
        digits: [B, 2].
        masks: per block a pair of factors that broadcast to [B, T, D].
        config: of the model; its sizes are not read.
    """
    tokens = tokens_of(config, digits, len(parameters.token_embedding))
    positions = tokens.shape[1]
    stream = parameters.token_embedding[tokens] + parameters.position_embedding
    visible = np.ones((positions, positions), dtype=bool)
    if config.attention_mask == "causal":
        visible = np.tril(visible)
    share = config.attention_coefficient
    for index, block in enumerate(parameters.blocks):
        attended = jnp.zeros_like(stream)
        for head in range(block.query.shape[0]):
            query, key = stream @ block.query[head], stream @ block.key[head]
            value = stream @ block.value[head]
            scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
            weights = softmax(jnp.where(visible, scores, -np.inf))
            weights = (share * weights + (1 - share)) * visible
            attended = attended + (weights @ value) @ block.output[head]
        stream = stream + attended
        if masks is not None:
            stream = stream * masks[index][0]
        before = stream @ block.mlp_in
        if config.mlp_bias:
            before = before + block.mlp_in_bias
        added = ACTIVATIONS[config.activation](before) @ block.mlp_out
        if config.mlp_bias:
            added = added + block.mlp_out_bias
        stream = stream + added
        if masks is not None:
            stream = stream * masks[index][1]
    return stream[:, -1] @ parameters.unembedding
