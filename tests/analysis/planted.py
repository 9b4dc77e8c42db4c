"""Signals and models whose insides are known because they were put there."""

import numpy as np

from miiii.model.parameters import Block, Parameters


def wave(size, frequency, phase=0.0):
    """cos(2πkx/p − φ) at x = 0 … p − 1."""
    return np.cos(2 * np.pi * frequency * np.arange(size) / size - phase)


def harmonics(base, modulus):
    """cos and sin of 2πkn/q for 1 ≤ k ≤ q/2 on n = 0 … p² − 1, [p², q − 1], as they stand."""
    turns = np.outer(np.arange(base**2), np.arange(1, modulus // 2 + 1)) % modulus
    angle = 2 * np.pi * turns / modulus
    columns = np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(base**2, -1)
    return columns[:, : modulus - 1]


def power_in(space, values):
    """Squared norm of the part of each function inside a space."""
    return (space.project(values) ** 2).sum(axis=0)


def product(size, over_x1, over_x0):
    """A grid [x1, x0] that is the product of two profiles."""
    assert len(over_x1) == len(over_x0) == size
    return np.outer(over_x1, over_x0)


def noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def random_parameters(base, width=6, heads=2, neurons=5, outputs=4, depth=1, dtype=np.float64):
    generator = np.random.default_rng(7)

    def draw(*shape):
        return generator.normal(0, 0.5, shape).astype(dtype)

    head_width = width // heads
    blocks = tuple(
        Block(
            *(draw(heads, width, head_width) for _ in range(3)),
            draw(heads, head_width, width),
            draw(width, neurons),
            draw(neurons, width),
        )
        for _ in range(depth)
    )
    return Parameters(draw(base + 1, width), draw(3, width), blocks, draw(width, outputs))


def additive_model(base, over_x0, over_x1, looks=None):
    """A model whose neurons are worked out by hand.

    Head 0 looks at x0 and writes `over_x0` of that digit to neuron 0; head 1 looks at x1 and writes
    `over_x1` of it to neuron 1. W_out adds 2 and 3 times the neurons into one output.

    Args:
        base: p.
        over_x0: [p], at least 0.
        over_x1: [p], at least 0.
        looks: [2, 3], each head's attention scores for x0, x1 and the answer.
    """
    scores = np.array([[60.0, 0, 0], [0, 60.0, 0]]) if looks is None else np.asarray(looks)
    # The width: 0 and 1 are the token's profiles, 2 marks the answer, 3 to 5 the positions.
    width, head_width = 6, 1
    tokens = np.zeros((base + 1, width))
    tokens[:-1, 0], tokens[:-1, 1] = over_x0, over_x1
    tokens[-1, 2] = 1
    positions = np.zeros((3, width))
    positions[np.arange(3), 3 + np.arange(3)] = 1
    query = np.zeros((2, width, head_width))
    query[:, 2] = 1
    key = np.zeros((2, width, head_width))
    key[:, 3:, 0] = scores
    value = np.zeros((2, width, head_width))
    value[0, 0], value[1, 1] = 1, 1
    output = np.zeros((2, head_width, width))
    output[0, 0, 0], output[1, 0, 1] = 1, 1
    mlp_in = np.zeros((width, 2))
    mlp_in[0, 0], mlp_in[1, 1] = 1, 1
    mlp_out = np.zeros((2, width))
    mlp_out[0, 0], mlp_out[1, 0] = 2, 3
    block = Block(query, key, value, output, mlp_in, mlp_out)
    return Parameters(tokens, positions, (block,), np.ones((width, 2)))
