"""The loss of all tasks at once against a loop over tasks, and its weights by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miiii.tasks.primes import primes_below
from miiii.training.config import TrainingConfig
from miiii.training.loss import (
    size_weights,
    squared_error,
    task_cross_entropy,
    task_divisors,
    task_weights,
    total_of_tasks,
)
from training.tiny import slow_losses
from wording import naming

SAMPLES = 6


def draw(class_sizes, seed, scale=3.0, samples=SAMPLES):
    """Logits [V, B], labels [N, B] with both extremes among them, and a weight per task."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=scale, size=(sum(class_sizes), samples))
    labels = np.stack([generator.integers(size, size=samples) for size in class_sizes])
    labels[:, 0], labels[:, 1] = 0, np.asarray(class_sizes) - 1
    return jnp.asarray(logits), jnp.asarray(labels, jnp.int32), generator.normal(size=len(labels))


def numpy_losses(logits, labels, class_sizes, smoothing=0.0):
    """The definition, sample by sample: mean of −Σ wanted · ln p, and how many are alone on top."""
    losses, counts, start = [], [], 0
    for of_labels, size in zip(np.asarray(labels), class_sizes, strict=True):
        columns = np.asarray(logits, np.float64)[start : start + size].T
        costs, hits = [], []
        for column, label in zip(columns, of_labels, strict=True):
            shifted = column - column.max()
            surprises = np.log(np.exp(shifted).sum()) - shifted
            wanted = np.full(size, smoothing / size)
            wanted[label] += 1 - smoothing
            costs.append((wanted * surprises).sum())
            hits.append(all(column[label] > np.delete(column, label)))
        losses.append(np.mean(costs))
        counts.append(sum(hits))
        start += size
    return losses, counts


def fast_losses_and_gradient(class_sizes, smoothing=None):
    def total(logits, labels, weights):
        losses, correct = task_cross_entropy(logits, labels, class_sizes, smoothing)
        return (losses * weights).sum(), (losses, correct)

    return jax.jit(jax.grad(total, has_aux=True))


@pytest.mark.parametrize("class_sizes", [(2,), (7, 2, 2, 5)])
def test_losses_and_gradient_equal_a_loop_with_autodiff(x64, class_sizes):
    def total(logits, labels, weights):
        losses, accuracies = slow_losses(logits.T, labels, class_sizes)
        return (losses * weights).sum(), (losses, accuracies)

    drawn = draw(class_sizes, seed=0)
    gradient, (losses, correct) = fast_losses_and_gradient(class_sizes)(*drawn)
    expected_gradient, expected = jax.jit(jax.grad(total, has_aux=True))(*drawn)
    assert gradient.dtype == losses.dtype == np.float64
    assert correct.dtype == np.int32
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(losses, expected[0], rtol=1e-12)
    np.testing.assert_allclose(np.asarray(correct) / drawn[1].shape[1], expected[1], rtol=1e-14)


@settings(max_examples=10)
@given(
    class_sizes=st.lists(st.integers(2, 7), min_size=1, max_size=5).map(tuple),
    seed=st.integers(0, 2**32 - 1),
    smoothing=st.sampled_from([None, 0.0, 0.1, 0.9]),
)
def test_losses_and_gradient_of_any_class_sizes(class_sizes, seed, smoothing):
    with jax.enable_x64(True):
        logits, labels, weights = draw(class_sizes, seed)
        fast = fast_losses_and_gradient(class_sizes, smoothing)
        gradient, (losses, correct) = fast(logits, labels, weights)
    expected = numpy_losses(logits, labels, class_sizes, smoothing or 0.0)
    np.testing.assert_allclose(losses, expected[0], rtol=1e-12)
    assert correct.tolist() == expected[1]

    def moved(direction):
        logits_there = np.asarray(logits) + 1e-5 * direction
        there = numpy_losses(logits_there, labels, class_sizes, smoothing or 0.0)
        return np.dot(weights, there[0])

    # along any direction the loss changes as the gradient says (central differences)
    direction = np.random.default_rng(seed).normal(size=logits.shape)
    slope = (moved(direction) - moved(-direction)) / 2e-5
    np.testing.assert_allclose((np.asarray(gradient) * direction).sum(), slope, atol=1e-8)


def test_smoothed_labels_are_learnt_at_their_own_probabilities(x64):
    """There the gradient is zero and the loss their entropy; guessing costs ln q as without."""
    labels = jnp.asarray([[4, 0]], jnp.int32)
    wanted = np.full((5, 2), 0.04)
    wanted[4, 0] = wanted[0, 1] = 0.84
    fast = fast_losses_and_gradient((5,), 0.2)
    gradient, (losses, correct) = fast(jnp.log(wanted) + 3, labels, jnp.ones(1))
    np.testing.assert_allclose(gradient, 0, atol=1e-15)
    np.testing.assert_allclose(losses, -0.84 * np.log(0.84) - 4 * 0.04 * np.log(0.04), rtol=1e-12)
    assert correct.tolist() == [2]
    # Unlike the plain loss, it pulls an answer that is certain back.
    gradient = fast(jnp.log(wanted) * 1000, labels, jnp.ones(1))[0]
    np.testing.assert_allclose(gradient[:, 0] * 2, [-0.04] * 4 + [0.16], atol=1e-15)
    guessed = fast(jnp.zeros((5, 2)), labels, jnp.ones(1))[1][0]
    np.testing.assert_allclose(guessed, np.log(5), rtol=1e-12)


SIZES = (2, 3, 7)
fast_loss = jax.jit(lambda logits, labels: task_cross_entropy(logits, labels, SIZES))
fast_gradient = jax.jit(
    jax.grad(lambda logits, labels: task_cross_entropy(logits, labels, SIZES)[0].sum())
)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-3, 1.0, 30.0, 1e4]))
def test_losses_in_float32(seed, scale):
    logits, labels, _ = draw(SIZES, seed, scale)
    losses, correct = fast_loss(logits, labels)
    assert (losses.dtype, correct.dtype) == (jnp.float32, jnp.int32)
    expected = numpy_losses(logits, labels, SIZES)
    np.testing.assert_allclose(losses, expected[0], rtol=2e-6, atol=1e-6)
    assert correct.tolist() == expected[1]


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
def test_large_logits_stay_finite(offset):
    _, labels, _ = draw(SIZES, 0)
    starts = np.asarray([0, 2, 5])[:, None]
    right = np.zeros((12, SAMPLES), bool)
    np.put_along_axis(right, np.asarray(labels) + starts, True, axis=0)
    # Certain and right costs nothing; certain and wrong costs the distance.
    for of_label, of_others, cost, share in [(1e4, -1e4, 0, 1), (-1e4, 1e4, 2e4, 0)]:
        logits = jnp.asarray(np.where(right, of_label, of_others) + offset, jnp.float32)
        losses, correct = fast_loss(logits, labels)
        gradient = fast_gradient(logits, labels)
        # where several others are equally likely, their number adds its logarithm
        extra = 0 if share else np.log([1, 2, 6])
        np.testing.assert_allclose(losses, cost + extra, rtol=1e-6)
        np.testing.assert_array_equal(correct, share * SAMPLES)
        assert bool(jnp.isfinite(gradient).all())
        if not share:
            np.testing.assert_allclose(gradient[right], -1 / SAMPLES, rtol=1e-6)
        else:
            np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("samples", [41, 47, 61, 97, 100, 200, 1000, 3831])
def test_right_answers_are_counted_exactly(samples):
    """Whatever they are of, where a mean in float32 would be 0.99999994 of all."""
    labels = jnp.zeros((1, samples), jnp.int32)
    for right in (samples, samples - 1, samples * 99 // 100, 0):
        of_label = np.where(np.arange(samples) < right, 1.0, -1.0)
        logits = jnp.asarray([of_label, np.zeros(samples)], jnp.float32)
        found = jax.jit(lambda a, b: task_cross_entropy(a, b, (2,))[1])(logits, labels)
        assert (found.tolist(), found.dtype) == ([right], jnp.int32)


def test_ties_count_as_wrong():
    labels = jnp.asarray([[0, 1], [2, 0], [6, 6]], jnp.int32)
    logits = np.zeros((12, 2))
    assert fast_loss(jnp.asarray(logits), labels)[1].tolist() == [0, 0, 0]
    # A tie with a rival is lost, a tie among rivals below the label is not.
    logits[0, 0] = 1.0
    logits[[2 + 1, 2 + 2], 0] = 1.0
    logits[5 + 6, :] = 1e-6
    np.testing.assert_array_equal(fast_loss(jnp.asarray(logits), labels)[1], [1, 0, 2])


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-15), ("float32", 1e-6)])
@pytest.mark.parametrize("class_sizes", [(113,), primes_below(20)])
def test_guessing_costs_one_per_task(precision, tolerance, class_sizes):
    with jax.enable_x64(precision == "float64"):
        _, labels, _ = draw(class_sizes, 0, samples=50)
        logits = jnp.full((sum(class_sizes), 50), -3.75, precision)
        losses, correct = jax.jit(lambda a, b: task_cross_entropy(a, b, class_sizes))(
            logits, labels
        )
        costs = losses / jnp.asarray(
            task_divisors(class_sizes, "log_classes", regression=False), precision
        )
        assert costs.dtype == precision
    assert abs(np.asarray(costs) - 1).max() <= tolerance
    np.testing.assert_array_equal(correct, 0)


def test_divisors():
    found = task_divisors((2, 3, 113), "log_classes", regression=False)
    np.testing.assert_allclose(found, [0.69314718056, 1.09861228867, 4.72738781871], rtol=1e-11)
    np.testing.assert_array_equal(task_divisors((2, 3), "none", regression=False), [1, 1])
    np.testing.assert_array_equal(task_divisors((1,), "log_classes", regression=True), [1])


def test_weights_of_sum_and_mean():
    assert task_weights([True] * 4, "sum").tolist() == [1, 1, 1, 1]
    assert task_weights([True] * 4, "mean").tolist() == [0.25, 0.25, 0.25, 0.25]
    # A masked task weighs nothing, and the others what they weighed without the mask.
    assert task_weights([False, True, True, False], "sum").tolist() == [0, 1, 1, 0]
    assert task_weights([False, True, True, False], "mean").tolist() == [0, 0.25, 0.25, 0]


def test_weights_by_size_by_hand():
    # 1, 1, 2² and 3² by hand, which have a mean of 15/4
    found = size_weights((2, 5, 10, 15), 2.0, 5)
    np.testing.assert_allclose(found, np.asarray([1, 1, 4, 9]) * 4 / 15, rtol=1e-12)
    np.testing.assert_allclose(size_weights((2, 5, 10, 15), 0.0, 5), 1, rtol=1e-12)
    np.testing.assert_allclose(size_weights((2, 5), 3.0, 7), 1, rtol=1e-12)
    # A power that would overflow leaves the largest task alone.
    np.testing.assert_array_equal(size_weights((2, 5, 10), 1e6, 1), [0, 0, 3])


def test_totals_by_hand():
    losses = jnp.asarray([3.0, 0.5, 4.0, 9.0])
    trained = [True, True, True, False]

    def total(reduction):
        weights = jnp.asarray(task_weights(trained, reduction))
        return jax.value_and_grad(total_of_tasks)(losses, weights, reduction)

    value, slope = total("sum")
    assert (float(value), slope.tolist()) == (7.5, [1, 1, 1, 0])
    value, slope = total("mean")
    assert (float(value), slope.tolist()) == (7.5 / 4, [0.25, 0.25, 0.25, 0])
    # √((9 + ¼ + 16) / 4), and each slope is loss / (4 · the total)
    value, slope = total("quadratic_mean")
    np.testing.assert_allclose(value, 2.512468905, rtol=1e-6)
    expected = np.asarray([3.0, 0.5, 4.0, 0.0]) / (4 * 2.512468905)
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_the_quadratic_mean_of_equal_losses_is_their_mean_and_of_none_is_flat():
    weights = jnp.asarray(task_weights([True] * 3, "quadratic_mean"))
    value, slope = jax.value_and_grad(total_of_tasks)(jnp.full(3, 0.7), weights, "quadratic_mean")
    np.testing.assert_allclose(value, 0.7, rtol=1e-6)
    np.testing.assert_allclose(slope, 1 / 3, rtol=1e-6)
    value, slope = jax.value_and_grad(total_of_tasks)(jnp.zeros(3), weights, "quadratic_mean")
    assert value < 1e-18
    np.testing.assert_array_equal(slope, 0)


def test_squared_error_by_hand():
    outputs = jnp.asarray([[1.0, -2.0, 0.0, 0.5]])
    targets = jnp.asarray([[1.0, -1.0, 0.09375, 0.75]])
    # errors 0, −1, −3/32, −¼; two within 0.1
    loss, within = squared_error(outputs, targets)
    np.testing.assert_allclose(loss, [(1 + 9 / 1024 + 1 / 16) / 4], rtol=1e-6)
    np.testing.assert_array_equal(within, [2])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "epochs 0 1"),
        ({"epochs": 2**31}, "epochs 2147483648 2³¹"),
        ({"validate_every": 0}, "validate_every 0 1"),
        ({"snapshots": -1}, "snapshots -1 0"),
        ({"dropout": 1.0}, "dropout 1.0 0 1"),
        ({"dropout": -0.1}, "dropout -0.1 0 1"),
        ({"dropout": float("nan")}, "dropout nan 0 1"),
        ({"checkpoint_seconds": 0.0}, "checkpoint_seconds 0.0 0"),
        ({"checkpoint_seconds": float("nan")}, "checkpoint_seconds nan 0"),
        ({"large_task_power": -1.0}, "large_task_power -1.0 0"),
        ({"large_task_power": float("inf")}, "large_task_power inf 0"),
        ({"large_task_power": float("nan")}, "large_task_power nan 0"),
        ({"large_task_classes": 0}, "large_task_classes 0 1"),
        ({"large_task_epoch": 0}, "large_task_epoch 0 1"),
        ({"label_smoothing": 1.0}, "label_smoothing 1.0 0 1"),
        ({"label_smoothing": float("nan")}, "label_smoothing nan 0 1"),
        ({"label_smoothing_epochs": -1}, "label_smoothing_epochs -1 0"),
        (
            {"label_smoothing": 0.1, "normaliser": "stablemax"},
            "label_smoothing 0.1 stablemax softmax",
        ),
        ({"precision": "float16"}, "precision 'float16' 'float64'"),
        ({"task_reduction": "avg"}, "task_reduction 'avg' sum"),
        ({"task_scale": "log_class"}, "task_scale 'log_class' 'log_classes'"),
        ({"dropout_mask": "step"}, "dropout_mask 'step' 'per_step'"),
        ({"matrix_products": "tf32"}, "matrix_products 'tf32'"),
    ],
)
def test_refusals(fields, message):
    with pytest.raises(ValueError, match=naming(message)):
        TrainingConfig(**fields)
