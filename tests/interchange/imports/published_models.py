"""Models as they are published, drawn at random, and a textbook forward pass through them.

Written from the description of the files, and from nothing in `src`: matrices as the files have
them, one head, one position and one key at a time.
"""

import math
from dataclasses import dataclass

import numpy as np

ERF = np.vectorize(math.erf)

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2,
    "tanh": np.tanh,
}


@dataclass(frozen=True)
class Kind:
    """A model of 2022: its sizes, and what its code does."""

    base: int = 7
    width: int = 8
    heads: int = 2
    head_width: int = 4
    neurons: int = 16
    blocks: int = 1
    answer: bool = True
    separate: bool = False
    activation: str = "relu"
    masked: bool = True
    coefficient: float = 1.0

    @property
    def tokens(self):
        return (2 if self.separate else 1) * self.base + self.answer

    @property
    def positions(self):
        return 3 if self.answer else 2

    def inputs(self):
        """[p², T]: a first, as the authors list them."""
        rows = []
        for a in range(self.base):
            for b in range(self.base):
                row = [a, b + self.base if self.separate else b]
                rows.append([*row, self.tokens - 1] if self.answer else row)
        return np.array(rows)


def drawn(kind, seed=0, dtype=np.float32, scale=0.7):
    """The weights as the code of 2022 names and lays them out."""
    generator = np.random.default_rng(seed)

    def draw(*shape):
        return generator.normal(0, scale, shape).astype(dtype)

    flat = kind.heads * kind.head_width
    state = {
        "embed.W_E": draw(kind.width, kind.tokens),
        "pos_embed.W_pos": draw(kind.positions, kind.width),
    }
    for block in range(kind.blocks):
        prefix = f"blocks.{block}"
        for letter in "KQV":
            state[f"{prefix}.attn.W_{letter}"] = draw(kind.heads, kind.head_width, kind.width)
        state[f"{prefix}.attn.W_O"] = draw(kind.width, flat)
        mask = np.tril(np.ones((kind.positions, kind.positions), np.float32))
        state[f"{prefix}.attn.mask"] = mask
        state[f"{prefix}.mlp.W_in"] = draw(kind.neurons, kind.width)
        state[f"{prefix}.mlp.b_in"] = draw(kind.neurons)
        state[f"{prefix}.mlp.W_out"] = draw(kind.width, kind.neurons)
        state[f"{prefix}.mlp.b_out"] = draw(kind.width)
    state["unembed.W_U"] = draw(kind.width, kind.tokens)
    return state


def textbook(state, kind, dtype=np.float64):
    """Logits [p², d_vocab] at the last position, for the inputs in their authors' order."""
    state = {name: np.asarray(array, dtype) for name, array in state.items()}
    tokens = kind.inputs()
    # [T][p², D]: the residual stream of each position.
    stream = [
        state["embed.W_E"][:, tokens[:, place]].T + state["pos_embed.W_pos"][place]
        for place in range(kind.positions)
    ]
    for block in range(kind.blocks):
        stream = _block(state, f"blocks.{block}.", stream, kind)
    return stream[-1] @ state["unembed.W_U"]


def _block(state, prefix, stream, kind):
    weights = {letter: state[f"{prefix}attn.W_{letter}"] for letter in "KQV"}
    outer = state[f"{prefix}attn.W_O"]
    after = []
    for asking, here in enumerate(stream):
        heads = []
        for head in range(kind.heads):
            query = here @ weights["Q"][head].T
            seen = [place for place in range(len(stream)) if not kind.masked or place <= asking]
            scores = [
                (query * (stream[place] @ weights["K"][head].T)).sum(axis=1)
                / math.sqrt(kind.head_width)
                for place in seen
            ]
            largest = np.max(scores, axis=0)
            shares = [np.exp(score - largest) for score in scores]
            total = sum(shares)
            mixed = 0
            for place, share in zip(seen, shares, strict=True):
                weight = kind.coefficient * (share / total) + (1 - kind.coefficient)
                mixed = mixed + weight[:, None] * (stream[place] @ weights["V"][head].T)
            heads.append(mixed)
        middle = here + np.concatenate(heads, axis=1) @ outer.T
        before = middle @ state[f"{prefix}mlp.W_in"].T + state[f"{prefix}mlp.b_in"]
        neurons = ACTIVATIONS[kind.activation](before)
        after.append(middle + neurons @ state[f"{prefix}mlp.W_out"].T + state[f"{prefix}mlp.b_out"])
    return after


def in_order_of_n(base, rows):
    """Rows in the authors' order, a first, in the order of n = a + p·b."""
    return rows.reshape(base, base, *rows.shape[1:]).swapaxes(0, 1).reshape(rows.shape)


def losses_of(logits, base, labels=None):
    """[p²], cross-entropy of a + b mod p over all columns, in the authors' order."""
    labels = [(a + b) % base for a in range(base) for b in range(base)]
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
