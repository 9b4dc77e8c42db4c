"""Every setting of the model: the fast forward pass and its gradients against the textbook's."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miiii import digits
from miiii.model.config import ModelConfig
from miiii.model.initialise import initialise
from miiii.model.parameters import weight_names
from miiii.model.transformer import forward
from model.textbook import textbook_forward

BASE, OUTPUTS = 5, 7

ATTENTION = [
    {"attention_mask": mask, "attention_coefficient": share}
    for mask, share in itertools.product(("causal", "full"), (1.0, 0.3, 0.0))
]
TOKENS = [
    {"answer_token": answer, "digit_tokens": tokens}
    for answer, tokens in itertools.product((True, False), ("shared", "separate"))
]
NEURONS = [
    {"activation": activation, "mlp_bias": bias}
    for activation, bias in itertools.product(("relu", "gelu", "tanh"), (False, True))
]
# Neurons know nothing of tokens and masks: every pair of settings meets, not every triple.
SETTINGS = [
    *(tokens | attention | NEURONS[3] for tokens in TOKENS for attention in ATTENTION),
    *(tokens | ATTENTION[1] | neurons for tokens in TOKENS for neurons in NEURONS),
    *(TOKENS[2] | attention | neurons for attention in ATTENTION for neurons in NEURONS),
]


def small(depth=1, **settings):
    config = ModelConfig(width=8, heads=2, depth=depth, **settings)
    parameters = initialise(jax.random.key(depth), config, BASE, OUTPUTS, 3, jnp.float64)
    keys = iter(jax.random.split(jax.random.key(7), 2 * depth))
    # Smaller than drawn: saturated attention has gradients of 1e-10, which no oracle can check.
    # Biases start at zero, where they would show nothing.
    return config, jax.tree.map(
        lambda leaf: jax.random.normal(next(keys), leaf.shape) if leaf.ndim == 1 else leaf * 0.5,
        parameters,
    )


def relative_error(found, expected):
    scale = float(jnp.abs(expected).max())
    return float(jnp.abs(found - expected).max()) / scale if scale else float(jnp.abs(found).max())


# Of the settings a sixth with one block, another sixth with two; the others, and a few with four
# blocks, where there is time.
@pytest.mark.parametrize(
    ("depth", "first", "step"),
    [
        (1, 0, 6),
        (2, 1, 6),
        *(
            pytest.param(*each, marks=pytest.mark.thorough)
            for each in ((1, 3, 6), (2, 4, 6), (4, 2, 18))
        ),
    ],
)
def test_every_setting_equals_the_textbook_in_float64(x64, depth, first, step):
    numbers = jnp.asarray(digits(BASE))
    weights = jax.random.normal(jax.random.key(5), (len(numbers), OUTPUTS), jnp.float64)
    seen = set()
    tried = SETTINGS[first::step]
    for settings in tried:
        config, parameters = small(depth, **settings)

        def loss(pass_of, parameters=parameters):
            def of(p):
                logits = pass_of(p)
                return (logits * weights).sum(), logits

            return jax.grad(of, has_aux=True)(parameters)

        # Not compiled: a hundred programs would take minutes, the same operations take seconds.
        found, logits = loss(lambda p: forward(p, numbers)[0])
        expected, oracle = loss(lambda p, c=config: textbook_forward(p, numbers, config=c))
        assert relative_error(logits, oracle) < 1e-12, settings
        names = weight_names(parameters)
        for name, one, other in zip(
            names, jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
        ):
            assert relative_error(one, other) < 1e-11, (settings, name)
        seen.add(tuple(np.asarray(logits).ravel()[:3]))
    distinct = {tuple(sorted(settings.items())) for settings in tried}
    # One block's last position sees everything: there the mask changes nothing.
    assert len(seen) == (len(distinct) if depth > 1 else len({_unmasked(s) for s in tried}))


def _unmasked(settings):
    return tuple(sorted((settings | {"attention_mask": "full"}).items()))
