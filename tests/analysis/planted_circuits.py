"""Models built by hand that solve n mod q with neurons whose tasks are known."""

from dataclasses import replace

import jax
import numpy as np

from miiii.model.parameters import Block, Parameters


def circuit_model(base, moduli, circuits, scale=8.0, x1_counts=None):
    """A one-block model whose neurons compute cos(2πkn/q) for chosen tasks, and read it out.

    Head 0 looks at x0 and head 1 at x1; the embedding holds cos and sin of 2πk x0/q and of
    2πkp x1/q for every task used. A neuron of a circuit answers ReLU(Σ cos(θ0 − φ) + cos(θ1 − ψ)),
    summed over the circuit's tasks, with phases φ, ψ of its own. Even phases make
    Σ ReLU(…) cos(φ + ψ − 2πkr/q) proportional to cos(2πk(n − r)/q), largest at r = n mod q.

    Args:
        base: p.
        moduli: [N], the heads.
        circuits: for each circuit its tasks, as a list of (q, k), and its number of neurons.
        scale: of the logits.
        x1_counts: what one unit of x1 adds to n; default: p. With 1 it is x0 + x1, T_nanda.

    Returns:
        The weights, and the neurons of each circuit.
    """
    x1_counts = base if x1_counts is None else x1_counts
    used = [task for tasks, _ in circuits for task in tasks]
    count = len(used)
    # The width: features of x0, features of x1, the read-out of each task, answer, positions.
    width = 6 * count + 4
    features0, features1, readout = (slice(i * 2 * count, (i + 1) * 2 * count) for i in range(3))
    answer, positions = 6 * count, slice(6 * count + 1, None)
    digit = np.arange(base)
    tokens = np.zeros((base + 1, width))
    for index, (q, k) in enumerate(used):
        for start, factor in ((features0.start, 1), (features1.start, x1_counts)):
            angle = 2 * np.pi * (k * factor * digit % q) / q
            tokens[:-1, start + 2 * index] = np.cos(angle)
            tokens[:-1, start + 2 * index + 1] = np.sin(angle)
    tokens[-1, answer] = 1
    embedding = np.zeros((3, width))
    embedding[:, positions] = np.eye(3)

    head_width = 2 * count
    query, key = np.zeros((2, width, head_width)), np.zeros((2, width, head_width))
    value, output = np.zeros((2, width, head_width)), np.zeros((2, head_width, width))
    query[:, answer, 0] = 1
    for head, part in enumerate((features0, features1)):
        key[head, positions, 0] = 60 * np.sqrt(head_width) * np.eye(3)[head]
        value[head, part] = np.eye(head_width)
        output[head, :, part] = np.eye(head_width)

    neurons = sum(size for _, size in circuits)
    mlp_in, mlp_out = np.zeros((width, neurons)), np.zeros((neurons, width))
    groups, first, index = [], 0, 0
    for tasks, size in circuits:
        group = np.arange(first, first + size)
        # Multiples of these irrational numbers fill the phases evenly.
        steps = np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0, 13.0])[: 2 * len(tasks)]
        phases = 2 * np.pi * (np.arange(1, size + 1)[:, None] * steps % 1)
        for number in range(len(tasks)):
            over_x0, over_x1 = phases[:, 2 * number], phases[:, 2 * number + 1]
            at = 2 * index
            mlp_in[features0.start + at, group] = np.cos(over_x0)
            mlp_in[features0.start + at + 1, group] = np.sin(over_x0)
            mlp_in[features1.start + at, group] = np.cos(over_x1)
            mlp_in[features1.start + at + 1, group] = np.sin(over_x1)
            mlp_out[group, readout.start + at] = np.cos(over_x0 + over_x1) / size
            mlp_out[group, readout.start + at + 1] = np.sin(over_x0 + over_x1) / size
            index += 1
        groups.append(group)
        first += size

    unembedding = np.zeros((width, sum(moduli)))
    starts = dict(zip(moduli, np.cumsum((0, *moduli)), strict=False))
    for index, (q, k) in enumerate(used):
        angle = 2 * np.pi * (k * np.arange(q) % q) / q
        columns = slice(starts[q], starts[q] + q)
        unembedding[readout.start + 2 * index, columns] += 20 * scale * np.cos(angle)
        unembedding[readout.start + 2 * index + 1, columns] += 20 * scale * np.sin(angle)
    block = Block(query, key, value, output, mlp_in, mlp_out)
    return Parameters(tokens, embedding, (block,), unembedding), groups


def with_noise(parameters, level, seed=0):
    """Every weight that matters moved by noise of that share of its matrix's typical size."""
    generator = np.random.default_rng(seed)

    def noisy(weight):
        size = np.sqrt((weight[weight != 0] ** 2).mean())
        return weight + np.where(weight != 0, level * size * generator.normal(size=weight.shape), 0)

    block = parameters.blocks[0]
    noisy_block = replace(block, mlp_in=noisy(block.mlp_in), mlp_out=noisy(block.mlp_out))
    tokens = noisy(parameters.token_embedding)
    return jax.tree.map(
        np.asarray, replace(parameters, token_embedding=tokens, blocks=(noisy_block,))
    )
