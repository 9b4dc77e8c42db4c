"""The forward pass and gradients that imported models are measured with, beside JAX's own."""

import jax
import numpy as np
import pytest

from miiii.interchange.imports.plain_transformer import PlainTransformer, ordered
from miiii.model.config import ModelConfig
from miiii.model.parameters import is_shape, parameter_shapes, weight_names
from miiii.model.transformer import forward
from miiii.training.loss import task_cross_entropy

BASE = 5
MODELS = {
    "paper": {},
    "biases": {"mlp_bias": True, "activation": "gelu", "depth": 2},
    "two tokens": {"answer_token": False, "attention_mask": "full", "attention_coefficient": 0.3},
    "deep": {
        "depth": 3,
        "answer_token": False,
        "attention_coefficient": 0.7,
        "digit_tokens": "separate",
        "activation": "tanh",
    },
    "separate": {"digit_tokens": "separate", "mlp_bias": True, "attention_coefficient": 0.0},
}


@pytest.mark.parametrize("name", MODELS)
def test_logits_and_gradients_are_those_of_the_transformer(name):
    config = ModelConfig(width=6, heads=2, mlp_ratio=2, **MODELS[name])
    generator = np.random.default_rng(0)
    shapes = parameter_shapes(config, BASE, BASE)
    parameters = jax.tree.map(
        lambda shape: generator.normal(0, 0.5, shape), shapes, is_leaf=is_shape
    )
    names = weight_names(parameters)
    weights = dict(zip(names, jax.tree.leaves(parameters), strict=True))
    assert list(ordered(dict(reversed(weights.items())))) == names
    numbers = np.arange(BASE**2)
    digits = np.stack([numbers % BASE, numbers // BASE], axis=1).astype(np.int32)
    labels = (digits.sum(axis=1) % BASE).astype(np.int32)
    trained = numbers[numbers % 3 > 0]

    def loss(parameters):
        logits = forward(parameters, digits[trained])[0]
        return task_cross_entropy(logits.T, labels[trained][None], (BASE,))[0].sum()

    with jax.enable_x64(True):
        logits = np.asarray(jax.jit(forward)(parameters, digits)[0])
        gradient = jax.tree.leaves(jax.jit(jax.grad(loss))(parameters))
    plain = PlainTransformer(weights, config.architecture, BASE)
    np.testing.assert_allclose(plain.logits(digits), logits, rtol=0, atol=1e-12 * abs(logits).max())
    norms = [np.linalg.norm(one) for one in gradient]
    found = plain.gradient_norms(digits[trained], labels[trained])
    np.testing.assert_allclose(found, norms, rtol=1e-12, atol=1e-12 * max(norms))
