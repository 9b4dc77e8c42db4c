"""A transformer as a textbook writes it: every position through every layer, one head at a time."""

import jax.numpy as jnp
import numpy as np


def softmax(scores):
    exponentials = jnp.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def textbook_forward(parameters, digits, masks=None):
    """Logits [B, V]; `masks`: per block a pair of factors that broadcast to [B, T, D]."""
    samples = digits.shape[0]
    answer = parameters.token_embedding.shape[0] - 1
    tokens = jnp.concatenate([digits, jnp.full((samples, 1), answer)], axis=1)
    stream = parameters.token_embedding[tokens] + parameters.position_embedding
    visible = np.tril(np.ones((3, 3), dtype=bool))
    for index, block in enumerate(parameters.blocks):
        attended = jnp.zeros_like(stream)
        for head in range(block.query.shape[0]):
            query, key = stream @ block.query[head], stream @ block.key[head]
            value = stream @ block.value[head]
            scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
            weights = softmax(jnp.where(visible, scores, -np.inf))
            attended = attended + (weights @ value) @ block.output[head]
        stream = stream + attended
        if masks is not None:
            stream = stream * masks[index][0]
        stream = stream + jnp.maximum(stream @ block.mlp_in, 0) @ block.mlp_out
        if masks is not None:
            stream = stream * masks[index][1]
    return stream[:, -1] @ parameters.unembedding
