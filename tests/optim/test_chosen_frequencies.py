"""The filter on chosen frequencies: what its projector holds, and what it leaves alone."""

import doctest
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from miiii.model.config import ModelConfig
from miiii.model.parameters import is_shape, parameter_shapes
from miiii.optim import chosen_frequencies
from miiii.optim.build import build_optimiser
from miiii.optim.chosen_frequencies import (
    digit_frequencies,
    grokfast_on_rows,
    random_directions,
    task_directions,
)
from miiii.optim.config import OptimConfig
from wording import naming

BASE, TASKS = 41, (2, 3, 5, 7)


def waves(base, modulus):
    """Cos and sin of a task's harmonics on either digit, value by value, without constants."""
    found = []
    for k in range(1, modulus):
        for turns_per_step in (k / modulus, (base * k / modulus) % 1):
            if turns_per_step == 0:
                continue
            for function in (math.cos, math.sin):
                found.append(
                    [function(2 * math.pi * turns_per_step * digit) for digit in range(base)]
                )
    return np.asarray(found).T


def test_frequencies_by_hand():
    assert digit_frequencies(41, (5, 2)) == [(1, 5), (2, 5), (1, 2)]
    # 2/6 is 1/3 and 3/6 is 1/2; of 8 and 4 together the quarters stand once.
    assert digit_frequencies(41, (6, 2, 3)) == [(1, 6), (1, 3), (1, 2)]
    assert digit_frequencies(7, (8, 4)) == [(1, 8), (1, 4), (3, 8), (1, 2)]
    # Modulo p the second digit does not matter.
    assert digit_frequencies(5, (5,)) == [(1, 5), (2, 5)]


@pytest.mark.parametrize(("base", "tasks"), [(41, TASKS), (11, (3,)), (12, (4, 9)), (7, (2, 31))])
def test_the_directions_span_exactly_the_chosen_harmonics(base, tasks):
    directions = task_directions(base, tasks)
    assert directions.shape[0] == base + 1
    np.testing.assert_array_equal(directions[-1], 0)
    on_digits = directions[:-1]
    np.testing.assert_allclose(on_digits.T @ on_digits, np.eye(on_digits.shape[1]), atol=1e-12)
    projector = on_digits @ on_digits.T
    np.testing.assert_allclose(projector @ projector, projector, atol=1e-12)
    np.testing.assert_allclose(projector, projector.T, atol=1e-14)
    # Everything that the tasks turn with is kept, on both digits …
    chosen = np.concatenate([waves(base, modulus) for modulus in tasks], axis=1)
    np.testing.assert_allclose(projector @ chosen, chosen, atol=1e-10)
    # … and nothing more: what is orthogonal to all of it goes.
    assert on_digits.shape[1] == np.linalg.matrix_rank(chosen, tol=1e-9)
    drawn = np.random.default_rng(0).normal(size=(base, 3))
    apart = drawn - chosen @ np.linalg.lstsq(chosen, drawn, rcond=1e-9)[0]
    np.testing.assert_allclose(projector @ apart, 0, atol=1e-9)


def test_the_first_four_tasks_have_thirteen_directions_and_all_tasks_every_one():
    # 1 + 2 + 4 + 6: every task's own frequencies, none in common.
    assert task_directions(BASE, TASKS).shape == (42, 13)
    assert task_directions(BASE, (2, 3, 5, 7, 11, 13, 17)).shape == (42, 41)


def test_the_control_is_as_large_and_somewhere_else():
    one, other = task_directions(BASE, TASKS), random_directions(BASE, TASKS)
    assert other.shape == one.shape
    np.testing.assert_array_equal(other[-1], 0)
    np.testing.assert_allclose(other.T @ other, np.eye(13), atol=1e-12)
    np.testing.assert_array_equal(other, random_directions(BASE, TASKS))
    # Of a random direction 13 of 41 parts lie in any subspace of 13, on average.
    assert 0.15 < ((one.T @ other) ** 2).sum() / 13 < 0.5


def tree(generator):
    return {
        "digits": jnp.asarray(generator.normal(size=(6, 2))),
        "other": jnp.asarray(generator.normal(size=(6, 2))),
    }


def directions_of_two(rows):
    """Rows 0 and 1 alike, and row 3 alone."""
    columns = np.zeros((rows, 2))
    columns[[0, 1], 0] = math.sqrt(0.5)
    columns[3, 1] = 1
    return columns


@given(
    seed=st.integers(0, 2**32 - 1),
    decay=st.floats(0, 0.99),
    strength=st.floats(0, 5),
    start=st.sampled_from(["gradient", "zeros"]),
)
def test_the_filter_against_a_loop(seed, decay, strength, start):
    generator = np.random.default_rng(seed)
    with jax.enable_x64(True):
        gradients = [tree(generator) for _ in range(4)]
        filter_ = grokfast_on_rows("digits", directions_of_two, decay, strength, start)
        state = filter_.init(gradients[0])
        slow = np.asarray(gradients[0]["digits"]) if start == "gradient" else np.zeros((6, 2))
        for gradient in gradients:
            found, state = filter_.update(gradient, state)
            here = np.asarray(gradient["digits"])
            slow = decay * slow + (1 - decay) * here
            expected = here.copy()
            # The projection by hand: rows 0 and 1 have their mean, row 3 itself, the others none.
            expected[:2] += strength * slow[:2].mean(axis=0)
            expected[3] += strength * slow[3]
            np.testing.assert_allclose(found["digits"], expected, rtol=1e-12, atol=1e-12)
            np.testing.assert_array_equal(found["other"], gradient["other"])


def model_gradients(seed):
    shapes = parameter_shapes(ModelConfig(width=8, heads=2, mlp_ratio=2), base=BASE, outputs=7)
    draw = np.random.default_rng(seed).normal
    return jax.tree.map(lambda shape: jnp.asarray(draw(size=shape)), shapes, is_leaf=is_shape)


@pytest.mark.parametrize(
    ("name", "directions"),
    [("ema_on_tasks", task_directions), ("ema_on_random", random_directions)],
)
def test_the_configured_filter_touches_the_digits_alone(x64, name, directions):
    config = OptimConfig(
        filter=name, filter_tasks=TASKS, filter_decay=0.5, filter_strength=2.0, learning_rate=1.0
    )
    # The first part of the chain is the filter; what follows is the optimiser's.
    optimiser = build_optimiser(config)
    weights, first, second = (model_gradients(seed) for seed in range(3))
    state: tuple = optimiser.init(weights)  # pyright: ignore[reportAssignmentType]
    _, state = optimiser.update(first, state, weights)  # pyright: ignore[reportAssignmentType]
    _, state = optimiser.update(second, state, weights)  # pyright: ignore[reportAssignmentType]
    columns = directions(BASE, TASKS)
    slow = 0.5 * first.token_embedding + 0.5 * second.token_embedding
    np.testing.assert_allclose(state[0].average, columns.T @ slow, rtol=1e-11)
    # AdamW's mean of what reached it tells what the filter let through.
    ((moments, *_),) = state[1:]
    expected = second.token_embedding + 2 * columns @ (columns.T @ slow)
    before = first.token_embedding + 2 * columns @ (columns.T @ first.token_embedding)
    np.testing.assert_allclose(
        moments.mu.token_embedding, 0.09 * before + 0.1 * expected, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(expected[-1], second.token_embedding[-1], rtol=1e-15)
    for path in ("position_embedding", "unembedding"):
        plain = 0.09 * getattr(first, path) + 0.1 * getattr(second, path)
        np.testing.assert_allclose(getattr(moments.mu, path), plain, rtol=1e-12)
    for one, two, mean in zip(
        *(jax.tree.leaves(each.blocks) for each in (first, second, moments.mu)), strict=True
    ):
        np.testing.assert_allclose(mean, 0.09 * one + 0.1 * two, rtol=1e-12, atol=1e-15)


def test_without_strength_it_is_the_identity():
    gradients = model_gradients(0)
    filter_ = grokfast_on_rows(
        "token_embedding", lambda tokens: task_directions(tokens - 1, TASKS), strength=0.0
    )
    found, _ = filter_.update(gradients, filter_.init(gradients))
    jax.tree.map(np.testing.assert_array_equal, found, gradients)


def test_a_weight_that_is_not_there_is_refused():
    filter_ = grokfast_on_rows("tokens", directions_of_two)
    with pytest.raises(ValueError, match=naming("weight 'tokens' digits")):
        filter_.init(tree(np.random.default_rng(0)))
    with pytest.raises(ValueError, match=naming("start 'ones' gradient zeros")):
        grokfast_on_rows("digits", directions_of_two, start="ones")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"filter": "ema_on_tasks"}, "filter_tasks empty ema_on_tasks"),
        ({"filter_tasks": (2,)}, "filter_tasks (2,) ema none"),
        ({"filter": "ema_on_tasks", "filter_tasks": (1,)}, "filter_tasks 1 modulus"),
        ({"filter": "ema_on_random", "filter_tasks": (3, 3)}, "filter_tasks 3 twice"),
        ({"filter": "ema_on_task"}, "'ema_on_tasks'"),
    ],
)
def test_refusals_of_settings(fields, message):
    with pytest.raises(ValueError, match=naming(message)):
        OptimConfig(**fields)


def test_examples_run():
    found = doctest.testmod(chosen_frequencies)
    assert (found.failed, found.attempted > 0) == (0, True)
