"""The same training, written plainly: what the fast path is measured against.

Every position goes through every layer, unembedding included; each task's logits are padded to the
largest modulus; every gradient is autodiff's. The mathematics is that of `miiii.training.step`.
"""

import jax
import jax.numpy as jnp
import optax

from miiii.model.parameters import Parameters
from miiii.optim.build import build_optimiser


def plain_forward(parameters: Parameters, tokens, masks):
    """Logits [B, T, V] of tokens [B, T]; masks as [B, T, D] factors, two per block."""
    stream = parameters.token_embedding[tokens] + parameters.position_embedding
    visible = jnp.tril(jnp.ones((3, 3), bool))
    for block, (after_attention, after_mlp) in zip(parameters.blocks, masks, strict=True):
        query = jnp.einsum("btd,hdk->bhtk", stream, block.query)
        key = jnp.einsum("btd,hdk->bhtk", stream, block.key)
        value = jnp.einsum("btd,hdk->bhtk", stream, block.value)
        scores = jnp.einsum("bhqk,bhtk->bhqt", query, key) / query.shape[-1] ** 0.5
        weights = jax.nn.softmax(jnp.where(visible, scores, -jnp.inf))
        mixed = jnp.einsum("bhqt,bhtk->bhqk", weights, value)
        stream = (stream + jnp.einsum("bhqk,hkd->bqd", mixed, block.output)) * after_attention
        hidden = jax.nn.relu(stream @ block.mlp_in)
        stream = (stream + hidden @ block.mlp_out) * after_mlp
    return stream @ parameters.unembedding


def make_plain_step(setting, config):
    """One epoch: (state, epoch, key, tokens [B, 3], labels [B, N]) to (state, losses [N])."""
    sizes = jnp.asarray(setting.class_sizes)
    widest = max(setting.class_sizes)
    starts = jnp.cumsum(sizes) - sizes
    column = jnp.minimum(starts[:, None] + jnp.arange(widest), setting.outputs - 1)
    inside = jnp.arange(widest) < sizes[:, None]
    rate = config.training.dropout

    def loss(parameters, key, tokens, labels):
        shared = config.training.dropout_mask == "per_step"
        shape = (1 if shared else len(tokens), tokens.shape[1], setting.model.width)
        masks = [
            [jax.random.bernoulli(k, 1 - rate, shape) / (1 - rate) for k in jax.random.split(each)]
            for each in jax.random.split(key, setting.model.depth)
        ]
        logits = plain_forward(parameters, tokens, masks)[:, -1]
        padded = jnp.where(inside, logits[:, column], -jnp.inf)
        chosen = jnp.take_along_axis(jax.nn.log_softmax(padded), labels[..., None], axis=-1)
        losses = -chosen[..., 0].mean(axis=0) / jnp.log(sizes)
        total = losses.sum() if config.training.task_reduction == "sum" else losses.mean()
        return total, losses

    def step(state, epoch, key, tokens, labels):
        parameters, optimiser_state = state
        keys = jax.random.fold_in(key, epoch)
        gradients, losses = jax.grad(loss, has_aux=True)(parameters, keys, tokens, labels)
        optimiser = build_optimiser(config.optim)
        updates, optimiser_state = optimiser.update(gradients, optimiser_state, parameters)
        return (optax.apply_updates(parameters, updates), optimiser_state), losses

    return jax.jit(step, donate_argnums=0)
