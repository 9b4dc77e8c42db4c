"""Runs and checkpoints with drawn weights, and TransformerLens' forward pass in plain NumPy."""

import json
import subprocess
import sys

import jax
import numpy as np

from miiii import get_preset, replace_fields
from results.stored_runs import store, weights

SMALL = {"base": 7, "width": 8, "heads": 2, "epochs": 24, "train_fraction": 0.5}

KINDS = {
    "plain": {},
    "deep": {"depth": 2},
    "double": {"precision": "float64", "depth": 3, "mlp_ratio": 3},
    "binary": {"target": "divisibility", "heads": 1},
    "nanda": {"task": "nanda", "operation": "subtract"},
    "waves": {"task": "waves", "dropout": 0.0},
}


def small_config(**changes):
    return replace_fields(get_preset("tiny"), **{**SMALL, **changes})


def store_kind(folder, kind):
    """A finished run of one kind; random weights, drawn history."""
    config = small_config(**KINDS[kind])
    if config.training.precision == "float32":
        return store(folder, kind, config)
    planted = jax.tree.map(lambda leaf: leaf.astype(np.float64) / 3, weights(config, 5))
    return store(folder, kind, config, (24,), planted=planted)


def refusals(command, calls, folder):
    """Exit code and one line of error of several calls, made in a process that has no JAX."""
    program = (
        "import contextlib, io, json, sys\n"
        "from miiii.cli.main import run\n"
        f"for words in {calls!r}:\n"
        "    said = io.StringIO()\n"
        "    with contextlib.redirect_stderr(said):\n"
        f"        code = run([{command!r}, *words])\n"
        "    print(json.dumps([code, said.getvalue()]))\n"
        "assert 'jax' not in sys.modules, 'JAX was imported'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(error.count("\n") == 1 for _, error in found), found
    return found


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def hooked_forward(state, tokens):
    """Logits [B, T, V] of a HookedTransformer's state dict, float64, biases and all."""
    state = {name: np.asarray(array, np.float64) for name, array in state.items()}
    stream = state["embed.W_E"][tokens] + state["pos_embed.W_pos"][: tokens.shape[1]]
    seen = np.tril(np.ones((tokens.shape[1],) * 2, bool))
    block = 0
    while f"blocks.{block}.attn.W_Q" in state:
        get = {name.split(".")[-1]: array for name, array in state.items() if f"s.{block}." in name}
        out = np.zeros_like(stream) + get["b_O"]
        for head in range(len(get["W_Q"])):
            q, k, v = (stream @ get[f"W_{one}"][head] + get[f"b_{one}"][head] for one in "QKV")
            scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
            out += softmax(np.where(seen, scores, -np.inf)) @ v @ get["W_O"][head]
        stream = stream + out
        hidden = np.maximum(stream @ get["W_in"] + get["b_in"], 0)
        stream = stream + hidden @ get["W_out"] + get["b_out"]
        block += 1
    return stream @ state["unembed.W_U"] + state["unembed.b_U"]


def bridge_forward(state, tokens, heads):
    """Logits [B, T, V] of a TransformerBridge's state dict: PyTorch's linear layers, x Wᵀ + b."""
    state = {name: np.asarray(array, np.float64) for name, array in state.items()}

    def linear(name, inputs):
        return inputs @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    stream = state["embed.weight"][tokens] + state["pos_embed.weight"][: tokens.shape[1]]
    samples, length, _ = stream.shape
    seen = np.tril(np.ones((length, length), bool))
    block = 0
    while (at := f"blocks.{block}") and f"{at}.attn.q.weight" in state:
        q, k, v = (
            linear(f"{at}.attn.{one}", stream).reshape(samples, length, heads, -1).swapaxes(1, 2)
            for one in "qkv"
        )
        scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])
        mixed = softmax(np.where(seen, scores, -np.inf)) @ v
        stream = stream + linear(f"{at}.attn.o", mixed.swapaxes(1, 2).reshape(samples, length, -1))
        stream = stream + linear(f"{at}.mlp.out", np.maximum(linear(f"{at}.mlp.in", stream), 0))
        block += 1
    return linear("unembed", stream)
