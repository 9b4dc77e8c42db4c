"""Models of x0 + x1 mod p built by hand: a clock and a pizza."""

import numpy as np

from analysis.planted_circuits import circuit_model
from miiii.model.parameters import Block, Parameters
from miiii.tasks.config import TaskConfig
from miiii.tasks.dataset import build_dataset


def addition(base, train_fraction=0.5):
    """The data of T_nanda."""
    return build_dataset(TaskConfig(task="nanda", base=base, train_fraction=train_fraction), 0)


def clock_model(base, frequencies, neurons=60):
    """The digits' waves reach the neurons by heads of their own and with phases of their own."""
    circuits = [([(base, k)], neurons) for k in frequencies]
    return circuit_model(base, (base,), circuits, scale=20.0 / len(frequencies), x1_counts=1)[0]


def pizza_model(base, frequencies, phases=40, scale=60.0):
    """The digits' embeddings are averaged before anything is computed from them.

    Both heads' weights are a third each; a neuron with phase φ answers ReLU(cos(θ0 − φ) +
    cos(θ1 − φ)) = ReLU(2 cos((θ0 − θ1)/2) cos((θ0 + θ1)/2 − φ)), read out by cos(2φ − 2πkc/p):
    the correct logit is proportional to Σ_k |cos((θ0 − θ1)/2)|, a function of the distance.
    """
    count = len(frequencies)
    width, head_width, neurons = 4 * count + 1, 2 * count, phases * count
    digit, phase = np.arange(base), 2 * np.pi * np.arange(phases) / phases
    tokens = np.zeros((base + 1, width))
    mlp_in, mlp_out = np.zeros((width, neurons)), np.zeros((neurons, width))
    unembedding = np.zeros((width, base))
    for index, k in enumerate(frequencies):
        angle = 2 * np.pi * (k * digit % base) / base
        at, out = 2 * index, 2 * count + 2 * index
        own = slice(index * phases, (index + 1) * phases)
        tokens[:-1, at], tokens[:-1, at + 1] = np.cos(angle), np.sin(angle)
        mlp_in[at, own], mlp_in[at + 1, own] = 3 * np.cos(phase), 3 * np.sin(phase)
        mlp_out[own, out] = np.cos(2 * phase) / phases
        mlp_out[own, out + 1] = np.sin(2 * phase) / phases
        unembedding[out], unembedding[out + 1] = scale * np.cos(angle), scale * np.sin(angle)
    tokens[-1, -1] = 1
    zeros = np.zeros((2, width, head_width))
    value, output = zeros.copy(), np.zeros((2, head_width, width))
    value[0, :head_width] = np.eye(head_width)
    output[0, :, :head_width] = np.eye(head_width)
    block = Block(zeros, zeros, value, output, mlp_in, mlp_out)
    return Parameters(tokens, np.zeros((3, width)), (block,), unembedding)
