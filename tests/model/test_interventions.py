"""Activations changed on the way, against forward passes with other weights."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from analysis.planted import random_parameters
from miiii import digits
from miiii.model.intervention import EDITABLE, Intervention, intervene
from miiii.model.transformer import forward
from model.textbook import textbook_forward
from wording import naming

BASE, OUTPUTS, HEADS = 5, 7, 2
NUMBERS = digits(BASE)
oracle = jax.jit(textbook_forward)


def make(depth):
    return random_parameters(BASE, 8, HEADS, 32, OUTPUTS, depth, np.float32)


def changed(array, index, factor):
    array = np.array(array)
    array[index] *= factor
    return array


def close(found, expected, message=""):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=1e-5 * scale, err_msg=message)


def at_every_place(depth, change):
    """One intervention for everything that can be changed, in all blocks."""
    once = ("digit_embeddings", "answer_embedding", "logits")
    return [
        Intervention(name, change, block)
        for name in EDITABLE
        for block in (range(1) if name in once else range(depth))
    ]


def with_block(parameters, index, **changes):
    blocks = list(parameters.blocks)
    blocks[index] = replace(blocks[index], **changes)
    return replace(parameters, blocks=tuple(blocks))


@pytest.mark.parametrize("depth", [1, 2])
def test_changing_nothing_changes_no_bit(depth):
    parameters = make(depth)
    expected, activations = forward(parameters, NUMBERS)
    for interventions in ([], at_every_place(depth, lambda value: value)):
        logits, found = intervene(parameters, NUMBERS, *interventions)
        np.testing.assert_array_equal(logits, expected)
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(activations), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("depth", [1, 2])
def test_every_place_is_visited_once_in_order_with_its_value(depth):
    parameters = make(depth)
    seen = []

    def looking(name, block):
        return Intervention(name, lambda value: seen.append((name, block, value)) or value, block)

    places = [
        looking(name, block)
        for name in EDITABLE[2:-1]
        for block in range(-depth, 0)  # negative blocks count from the last
    ]
    _, activations = intervene(parameters, NUMBERS, *places, looking("logits", -1))
    names = [name for name, block, _ in seen if block == -1]
    assert names == list(EDITABLE[2:])
    assert len(seen) == 9 * depth + 1
    for name, block, value in seen:
        held = activations if name == "logits" else activations.blocks[block]
        np.testing.assert_array_equal(value, getattr(held, name))


@pytest.mark.parametrize(("depth", "block"), [(1, 0), (2, 0), (2, -1)])
def test_changes_in_a_block_are_those_of_other_weights(depth, block):
    parameters = make(depth)
    weights = parameters.blocks[block]

    def scaled_neuron(value):
        return changed(value, (..., 3), -2)

    def without_a_head(value):
        return changed(value, (slice(None), slice(None), 1), 0)

    def doubled(value):
        return 2 * np.asarray(value)

    cases = [
        ("mlp_hidden", scaled_neuron, {"mlp_out": changed(weights.mlp_out, 3, -2)}),
        ("attention_mixed", without_a_head, {"output": changed(weights.output, 1, 0)}),
        ("attention_scores", doubled, {"query": 2 * weights.query}),
        ("attention_output", doubled, {"output": 2 * weights.output}),
        ("mlp_pre", doubled, {"mlp_in": 2 * weights.mlp_in}),
        ("mlp_output", doubled, {"mlp_out": 2 * weights.mlp_out}),
    ]
    for name, change, other_weights in cases:
        found, _ = intervene(parameters, NUMBERS, Intervention(name, change, block))
        expected = oracle(with_block(parameters, block, **other_weights), NUMBERS)
        close(found, expected, name)


@pytest.mark.parametrize("depth", [1, 2])
def test_changed_embeddings_are_those_of_other_weights(depth):
    parameters = make(depth)
    shift = np.linspace(-1, 1, 8, dtype=np.float32)

    def row_moved(array, row):
        array = np.array(array)
        array[row] += shift
        return array

    positions = row_moved(parameters.position_embedding, 1)
    found, _ = intervene(
        parameters, NUMBERS, Intervention("digit_embeddings", lambda tables: row_moved(tables, 1))
    )
    close(found, oracle(replace(parameters, position_embedding=positions), NUMBERS))
    tokens = row_moved(parameters.token_embedding, -1)
    found, _ = intervene(
        parameters,
        NUMBERS,
        Intervention("answer_embedding", lambda answer: np.asarray(answer) + shift),
    )
    close(found, oracle(replace(parameters, token_embedding=tokens), NUMBERS))


@pytest.mark.parametrize("depth", [1, 2])
def test_forced_attention_reads_one_digit(depth):
    parameters = make(depth)

    def only_x0(value):
        return np.eye(3)[np.zeros(value.shape[:-1], int)]

    places = [Intervention("attention_weights", only_x0, block) for block in range(depth)]
    logits, activations = intervene(parameters, NUMBERS, *places)
    np.testing.assert_array_equal(activations.attention_weights[..., 0], 1)
    # Numbers with the same x0 cannot be told apart: the answer never sees x1.
    by_x1 = np.asarray(logits).reshape(BASE, BASE, OUTPUTS)
    np.testing.assert_allclose(by_x1, np.broadcast_to(by_x1[:1], by_x1.shape), atol=1e-6)
    assert np.ptp(by_x1[0, :, 0]) > 1e-3


def test_interventions_at_one_place_follow_their_order():
    parameters = make(1)
    add, double = (
        Intervention("residual_out", change)
        for change in (lambda value: np.asarray(value) + 1, lambda value: np.asarray(value) * 2)
    )
    plain = np.asarray(forward(parameters, NUMBERS)[1].residual_out)
    first, _ = intervene(parameters, NUMBERS, add, double)
    close(first, (2 * plain + 2) @ parameters.unembedding)
    second, _ = intervene(parameters, NUMBERS, double, add)
    close(second, (2 * plain + 1) @ parameters.unembedding)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Intervention("neurons", abs), "activation 'neurons'"),
        (lambda: Intervention("residual_in", abs), "activation 'residual_in' residual_mid"),
        (
            lambda: intervene(make(2), NUMBERS, Intervention("mlp_pre", abs, 2)),
            "block 2 model -2 1",
        ),
        (
            lambda: intervene(make(1), NUMBERS, Intervention("mlp_pre", lambda value: value[:1])),
            "change mlp_pre (1,1,32) (25,1,32)",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=naming(message)) as caught:
        call()
    assert "\n" not in str(caught.value)
