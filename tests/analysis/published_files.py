"""Published checkpoints in the layout of 2022, read and computed without the package.

A reader of .pt files in twenty lines and a textbook forward pass in float64, so that measures can
be compared with published values whatever the package makes of these files; `drawn` makes models of
the same layout at random. None of the files is in the project: where they are not at hand, tests
that need them are skipped.
"""

import io
import json
import math
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miiii.model.config import Architecture
from miiii.model.parameters import Block, Parameters

_NUMBERS = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8"}


def folder():
    """Where the files are: in MIIII_PUBLISHED_MODELS, or in shared/models beside a parent."""
    named = os.environ.get("MIIII_PUBLISHED_MODELS")
    places = [Path(named)] if named else [up / "shared/models" for up in Path(__file__).parents]
    found = [place for place in places if (place / "zhong2023").is_dir()]
    if not found:
        pytest.skip("the published models are not at hand")
    return found[0]


def read(path):
    """The object of a .pt file; what is neither a tensor nor plain data stands for itself."""
    archive = zipfile.ZipFile(path)
    (name,) = (each for each in archive.namelist() if each.endswith("data.pkl"))

    def tensor(storage, offset, shape, strides, *_):
        steps = [step * storage.itemsize for step in strides]
        return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            known = {
                "OrderedDict": OrderedDict,
                "_rebuild_tensor_v2": tensor,
                "_rebuild_parameter": lambda data, *_: data,
            }
            return known.get(name, name if name.endswith("Storage") else _Unknown)

        def persistent_load(self, pid):
            content = archive.read(name.removesuffix("data.pkl") + f"data/{pid[2]}")
            return np.frombuffer(content, _NUMBERS[pid[1]])

    return Reader(io.BytesIO(archive.read(name))).load()


class _Unknown:
    def __init__(self, *_):
        pass

    def __setstate__(self, _):
        pass


class Published:
    """One transformer: its weights by their names of 2022, and what its settings say."""

    def __init__(self, weights, base, *, answer, mask, coefficient=1.0, activation="relu", apart=0):
        self.weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
        self.base, self.answer, self.mask = base, answer, mask
        self.coefficient, self.activation, self.apart = coefficient, activation.lower(), apart
        self.table = self.weights["embed.W_E"].T
        x1, x0 = np.divmod(np.arange(base**2), base)
        last = [np.full(base**2, answer)] if answer is not None else []
        self.tokens = np.stack([x0, x1 + apart, *last], axis=1)

    def parameters(self):
        """The same weights as the package holds them."""
        weights, count = self.weights, sum(name.endswith("attn.W_Q") for name in self.weights)
        blocks = []
        for at in (f"blocks.{block}" for block in range(count)):
            query, key, value = (
                weights[f"{at}.attn.W_{letter}"].swapaxes(1, 2) for letter in "QKV"
            )
            output = weights[f"{at}.attn.W_O"].T.reshape(value.swapaxes(1, 2).shape)
            enter, leave = weights[f"{at}.mlp.W_in"].T, weights[f"{at}.mlp.W_out"].T
            biases = weights[f"{at}.mlp.b_in"], weights[f"{at}.mlp.b_out"]
            blocks.append(Block(query, key, value, output, enter, leave, *biases))
        return Parameters(
            self.table,
            weights["pos_embed.W_pos"],
            tuple(blocks),
            weights["unembed.W_U"][:, : self.base],
            Architecture(
                activation=self.activation,
                attention_mask="causal" if self.mask else "full",
                attention_coefficient=self.coefficient,
                digit_tokens="separate" if self.apart else "shared",
            ),
        )

    def logits(self):
        """[p², p], in the canonical order."""
        with jax.enable_x64(True):
            return np.asarray(self.forward(jnp.asarray(self.table[self.tokens])))[:, : self.base]

    def gradients(self, triples):
        """[T, 2, D]: of each triple's logit, with respect to both digits' token embeddings."""
        rows = triples[:, 0] + self.base * triples[:, 1]
        with jax.enable_x64(True):
            return np.asarray(
                jax.grad(
                    lambda tokens: self.forward(tokens)[np.arange(len(rows)), triples[:, 2]].sum()
                )(jnp.asarray(self.table[self.tokens[rows]]))
            )[:, :2]

    def forward(self, stream):
        """[B, V] from tokens' embeddings [B, T, D]."""
        weights = self.weights
        stream = stream + weights["pos_embed.W_pos"][: stream.shape[1]]
        nonlinear = {
            "relu": lambda x: jnp.maximum(x, 0),
            "gelu": lambda x: x * (1 + jax.scipy.special.erf(x / math.sqrt(2))) / 2,
            "tanh": jnp.tanh,
        }[self.activation]
        for block in range(sum(name.endswith("attn.W_Q") for name in weights)):
            own = {
                name.removeprefix(f"blocks.{block}."): value
                for name, value in weights.items()
                if name.startswith(f"blocks.{block}.")
            }
            heads = []
            for query, key, value in zip(
                own["attn.W_Q"], own["attn.W_K"], own["attn.W_V"], strict=True
            ):
                scores = (stream @ query.T) @ (stream @ key.T).swapaxes(1, 2)
                scores = scores / math.sqrt(len(query))
                if self.mask:
                    seen = np.tril(np.ones(scores.shape[1:], bool))
                    scores = jnp.where(seen, scores, -jnp.inf)
                pattern = jnp.exp(scores - scores.max(axis=-1, keepdims=True))
                pattern = pattern / pattern.sum(axis=-1, keepdims=True)
                pattern = self.coefficient * pattern + (1 - self.coefficient)
                heads.append(pattern @ (stream @ value.T))
            stream = stream + jnp.concatenate(heads, axis=-1) @ own["attn.W_O"].T
            hidden = nonlinear(stream @ own["mlp.W_in"].T + own["mlp.b_in"])
            stream = stream + hidden @ own["mlp.W_out"].T + own["mlp.b_out"]
        return stream[:, -1] @ weights["unembed.W_U"]


def zhong(name):
    """A model of Zhong et al. (2023) by its run's name."""
    place = folder() / "zhong2023"
    settings = json.loads((place / f"config_{name}.json").read_text())
    base = settings["C"]
    return Published(
        read(place / f"model_{name}.pt"),
        base,
        answer=None,
        mask=False,
        coefficient=settings["attn_coeff"],
        activation=settings["act_fn"],
        apart=base if settings["diff_vocab"] else 0,
    )


def nanda(name):
    """A model of Nanda et al. (2023) by its file's name."""
    weights = read(folder() / "nanda2023" / f"{name}.pth")["model"]
    return Published(weights, 113, answer=113, mask=True)


def drawn(base, blocks=1, *, seed=0, **settings):
    """A model of that layout with random weights."""
    generator = np.random.default_rng(seed)
    apart = base if settings.pop("separate", False) else 0
    answer = base + apart if settings.pop("answer_token", False) else None
    width, heads, size, neurons = 8, 2, 4, 12
    tokens = base + apart + (answer is not None)
    shapes = {
        "embed.W_E": (width, tokens),
        "pos_embed.W_pos": (2 + (answer is not None), width),
        "unembed.W_U": (width, tokens),
    }
    for at in (f"blocks.{block}" for block in range(blocks)):
        shapes |= {f"{at}.attn.W_{letter}": (heads, size, width) for letter in "QKV"}
        shapes |= {f"{at}.attn.W_O": (width, heads * size)}
        shapes |= {f"{at}.mlp.W_in": (neurons, width), f"{at}.mlp.b_in": (neurons,)}
        shapes |= {f"{at}.mlp.W_out": (width, neurons), f"{at}.mlp.b_out": (width,)}
    weights = {name: generator.normal(0, 0.5, shape) for name, shape in shapes.items()}
    return Published(weights, base, answer=answer, apart=apart, **settings)
