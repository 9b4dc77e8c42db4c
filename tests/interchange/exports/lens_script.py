"""What runs inside TransformerLens' own environment: `lens_script.py VERSION < orders.json`.

Version 4 meets `TransformerBridge`, version 2 `HookedTransformer`. Every folder that miiii exported
is loaded by the code of its own README.md. Models made here are saved for miiii to import.
"""

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import torch

VERSION = sys.argv[1]
TITLE = {"4": "## TransformerLens 4", "2": "## TransformerLens 2"}[VERSION]
ROWS = 2000


def all_tokens(base):
    n = np.arange(base**2)
    return torch.tensor(np.stack([n % base, n // base, np.full_like(n, base)], axis=1))


def all_logits(model, base):
    """[p², V] at the last position."""
    with torch.inference_mode():
        parts = [model(rows)[:, -1] for rows in all_tokens(base).split(ROWS)]
    return torch.cat(parts).numpy()


def run_readme(folder):
    """Load an exported folder as its README says; the logits in float64, then in float32."""
    os.chdir(folder)
    section = Path("README.md").read_text().split(TITLE)[1]
    code = re.search(r"```python\n(.*?)```", section, re.S)[1]
    found = {}
    for precision in ("float64", "float32"):
        names = {"__name__": "readme"}
        # The comparison at the end of the recipe is one in float64.
        text = code if precision == "float64" else code.split("\nexpected =")[0]
        exec(compile(text.replace("torch.float64", f"torch.{precision}"), folder, "exec"), names)
        model = names["model"]
        found[precision] = all_logits(model.to(getattr(torch, precision)), model.cfg.d_vocab - 1)
    return found


def new_model(settings, seed):
    """A model of TransformerLens' own making: (the model, its configuration)."""
    torch.manual_seed(seed)
    common = {"act_fn": "relu", "normalization_type": None, "n_ctx": 3, "device": "cpu"}
    if VERSION == "4":
        from transformer_lens import TransformerBridge, TransformerBridgeConfig

        config = TransformerBridgeConfig(**common, **settings, seed=seed, init_weights=True)
        return TransformerBridge.boot_native(config)
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    return HookedTransformer(HookedTransformerConfig(**common, **settings, seed=seed))


def fill_biases(model, ending, scale):
    """Give biases of one kind values; all others are zero."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    chosen = [name for name in state if name.endswith(ending)]
    assert chosen, f"no bias {ending} among {list(state)}"
    for name in chosen:
        state[name] = scale * torch.randn_like(state[name])
    model.load_state_dict(state, strict=True)


def save_demonstration(path, settings, base):
    """As TransformerLens' grokking demonstration saves: four checkpoints and the last weights."""
    states, epochs = [], []
    for seed in range(4):
        model = new_model(settings, seed)
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        epochs.append(100 * seed + 99)
    indices = torch.randperm(base**2)
    cut = int(0.3 * base**2)
    record = {
        "model": model.state_dict(),
        "config": model.cfg,
        "checkpoints": states,
        "checkpoint_epochs": epochs,
        "test_losses": [0.5] * 400,
        "train_losses": [0.25] * 400,
        "train_indices": indices[:cut],
        "test_indices": indices[cut:],
    }
    torch.save(record, path)
    return all_logits(model, base)


def make(order):
    """Save a model for miiii to import, and give its logits."""
    settings, base, path = order["settings"], order["base"], order["path"]
    if order["kind"] == "demonstration":
        return save_demonstration(path, settings, base)
    model = new_model(settings, order["seed"])
    if "bias" in order:
        fill_biases(model, order["bias"], 0.5)
    if order["kind"] == "half":
        model = model.to(torch.bfloat16)
    if "enlarge" in order:
        # Queries so large that what scores are divided by matters.
        state = model.state_dict()
        larger = {name for name in state if name.endswith(("W_Q", "attn.q.weight"))}
        assert larger
        model.load_state_dict(
            {name: order["enlarge"] * v if name in larger else v for name, v in state.items()},
            strict=True,
        )
    state = model.state_dict()
    if "native" in order:
        raw = model.original_model.state_dict()
        assert any("tok_embed" in name for name in raw), list(raw)
        state = {order["native"] + name: value for name, value in raw.items()}
    torch.save(state, path)
    if order["kind"] == "safetensors":
        from safetensors.torch import save_file

        weights = {name: value.clone().contiguous() for name, value in state.items()}
        save_file(weights, path)
        keys = ("n_heads", "d_model", "act_fn", "normalization_type", "use_attn_scale")
        config = {key: getattr(model.cfg, key) for key in keys}
        Path(path).with_name("config.json").write_text(json.dumps(config))
    return all_logits(model.to(torch.float64), base)


orders = json.load(sys.stdin)
for folder in orders["folders"]:
    np.savez(Path(folder) / f"found-{VERSION}.npz", **run_readme(folder))
for order in orders["models"]:
    np.save(order["path"] + ".npy", make(order))
print("transformer_lens", sys.modules["transformer_lens"].__file__)
