"""StableMax against plain Python, number by number, and against autodiff of its definition."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miiii import replace_fields
from miiii.experiment.batch import make_batch
from miiii.tasks.primes import primes_below
from miiii.training.loss import task_cross_entropy
from miiii.training.stablemax import task_stablemax_cross_entropy
from miiii.training.step import measure
from training.tiny import TINY

SAMPLES = 6


def s(x):
    return x + 1 if x >= 0 else 1 / (1 - x)


def drawn(class_sizes, seed, scale=3.0):
    """Logits [V, B] with zeros among them, labels [N, B], a weight per task."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=scale, size=(sum(class_sizes), SAMPLES))
    logits[generator.random(logits.shape) < 0.1] = 0.0
    labels = np.stack([generator.integers(size, size=SAMPLES) for size in class_sizes])
    return logits, labels, generator.normal(size=len(class_sizes))


def by_hand(logits, labels, class_sizes):
    """The definition in plain Python: −ln(s_y/Σs) per sample, then its mean per task."""
    losses, start = [], 0
    for of_task, size in zip(labels, class_sizes, strict=True):
        costs = []
        for sample, label in enumerate(of_task):
            numerators = [s(float(x)) for x in logits[start : start + size, sample]]
            costs.append(-np.log(numerators[label] / sum(numerators)))
        losses.append(sum(costs) / len(costs))
        start += size
    return losses


def softmax_by_hand(logits, labels, class_sizes):
    starts = np.cumsum([0, *class_sizes])
    columns = [
        logits[start : start + size] for start, size in zip(starts, class_sizes, strict=False)
    ]
    return [
        np.mean([np.log(np.exp(x).sum()) - x[y] for x, y in zip(column.T, of_task, strict=True)])
        for column, of_task in zip(columns, labels, strict=True)
    ]


def slopes_by_hand(logits, labels, weights, class_sizes):
    """d/dx of Σ weight · loss, from s' and the quotient rule, number by number."""
    gradient, start = np.zeros_like(logits), 0
    for task, size in enumerate(class_sizes):
        for sample, label in enumerate(labels[task]):
            column = [float(x) for x in logits[start : start + size, sample]]
            total = sum(map(s, column))
            for row, x in enumerate(column):
                slope = 1.0 if x >= 0 else 1 / (1 - x) ** 2
                change = slope / total - (slope / s(x) if row == label else 0.0)
                gradient[start + row, sample] = weights[task] * change / len(labels[task])
        start += size
    return gradient


@lru_cache
def loss_and_gradient(class_sizes):
    def total(logits, labels, weights):
        losses, correct = task_stablemax_cross_entropy(logits, labels, class_sizes)
        return (losses * weights).sum(), (losses, correct)

    return jax.jit(jax.grad(total, has_aux=True))


@lru_cache
def softmax_correct(class_sizes):
    return jax.jit(lambda logits, labels: task_cross_entropy(logits, labels, class_sizes)[1])


@settings(max_examples=4)
@given(
    class_sizes=st.lists(st.integers(2, 7), min_size=1, max_size=4).map(tuple),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.1, 3.0, 1e3]),
)
def test_losses_and_gradient_against_plain_python(class_sizes, seed, scale):
    logits, labels, weights = drawn(class_sizes, seed, scale)
    with jax.enable_x64(True):
        given = jnp.asarray(logits), jnp.asarray(labels, jnp.int32), jnp.asarray(weights)
        gradient, (losses, correct) = loss_and_gradient(class_sizes)(*given)
        right = softmax_correct(class_sizes)(*given[:2])
    np.testing.assert_allclose(losses, by_hand(logits, labels, class_sizes), rtol=1e-12)
    slopes = slopes_by_hand(logits, labels, weights, class_sizes)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-15)
    np.testing.assert_array_equal(correct, right)


def test_the_written_gradient_is_that_of_autodiff(x64):
    sizes = (2, 7, 5)
    logits, labels, weights = map(jnp.asarray, drawn(sizes, 1))

    def definition(logits):
        start, total = 0, 0.0
        for task, size in enumerate(sizes):
            of_task = logits[start : start + size]
            numerators = jnp.where(of_task >= 0, of_task + 1, 1 / (1 - jnp.minimum(of_task, 0)))
            shares = numerators / numerators.sum(axis=0)
            chosen = jnp.take_along_axis(shares, labels[task][None], axis=0)
            total += weights[task] * -jnp.log(chosen).mean()
            start += size
        return total

    found, _ = loss_and_gradient(sizes)(logits, labels.astype(jnp.int32), weights)
    expected = jax.jit(jax.grad(definition))(logits)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize("class_sizes", [(113,), primes_below(20)])
def test_guessing_costs_ln_q(x64, class_sizes):
    _, labels, weights = drawn(class_sizes, 0)
    for level in (-3.75, 0.0, 4.5):
        logits = jnp.full((sum(class_sizes), SAMPLES), level)
        _, (losses, _) = loss_and_gradient(class_sizes)(logits, jnp.asarray(labels), weights)
        np.testing.assert_allclose(losses, np.log(class_sizes), rtol=1e-13)


def test_a_certain_answer_still_teaches_where_the_softmax_does_not():
    logits = jnp.asarray([[150.0], [-150.0], [-150.0]])
    labels = jnp.zeros((1, 1), jnp.int32)

    def slope(loss):
        return jax.jit(jax.grad(lambda x: loss(x, labels, (3,))[0].sum()))(logits)

    np.testing.assert_array_equal(slope(task_cross_entropy), 0)
    stable = np.asarray(slope(task_stablemax_cross_entropy), np.float64)
    # s = 151, 1/151, 1/151
    total = 151 + 2 / 151
    expected = [1 / total - 1 / 151, 1 / 151**2 / total, 1 / 151**2 / total]
    np.testing.assert_allclose(stable[:, 0], expected, rtol=2e-3)
    assert stable[0, 0] < 0


@pytest.mark.parametrize("large", [1e4, 1e18, 1e37])
def test_large_logits_stay_finite(large):
    logits = jnp.asarray([[large, -large], [-large, large], [0.0, 0.0]], jnp.float32)
    labels = jnp.zeros((1, 2), jnp.int32)
    gradient, (losses, correct) = loss_and_gradient((3,))(logits, labels, jnp.ones(1))
    # Certain and right costs next to nothing; certain and wrong ln(large · large).
    np.testing.assert_allclose(losses, [np.log(large)], rtol=1e-3)
    np.testing.assert_array_equal(correct, [1])
    assert bool(jnp.isfinite(gradient).all())


def test_training_and_validation_use_the_configured_normaliser(x64):
    logits, labels, _ = drawn((2, 3, 7), 3)
    for name, expected in (
        ("stablemax", by_hand(logits, labels, (2, 3, 7))),
        ("softmax", np.asarray(softmax_by_hand(logits, labels, (2, 3, 7)))),
    ):
        setting = make_batch([replace_fields(TINY, normaliser=name)]).setting
        found = jax.jit(lambda x, y, setting=setting: measure(setting, x, y))(logits.T, labels)
        np.testing.assert_allclose(found.loss, expected / np.log([2, 3, 7]), rtol=1e-12)
