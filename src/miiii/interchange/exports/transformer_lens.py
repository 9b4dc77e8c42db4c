"""`--to transformer-lens`: a run for TransformerLens, versions 2 and 4.

TransformerLens computes logits at every position; this package uses those at the last one. Its
settings can express the rest of the paper's transformer: no layer norm, ReLU, causal attention
scaled by 1/√K, learnt positions, zero biases. They can also express MLP biases, GELU, two positions
and separate tokens; other models are refused. The logits of all tasks lie side by side.
"""

from typing import Any

import numpy as np
import safetensors.numpy

from miiii.experiment.model_at import ModelAt
from miiii.interchange.exports.layout import BRIDGE, CONFIG, EXPECTED, HOOKED, README, TASKS
from miiii.interchange.names import hooked_to_bridge, to_hooked
from miiii.model.config import ModelConfig
from miiii.runs.jsonfiles import encode_json

CHECKED = 16
"""Number of inputs whose logits are exported, so that a reader can compare them."""


def transformer_lens_files(exported: ModelAt) -> dict[str, bytes]:
    """The folder's files by name.

    Raises:
        ValueError: TransformerLens has no setting for a part of the model.
    """
    _refuse_unknown(exported.run.config.model)
    hooked = to_hooked(exported.weights)
    numbers = np.unique(np.linspace(0, len(exported.run.dataset.digits) - 1, CHECKED, dtype=int))
    expected = {"tokens": exported.tokens(numbers), "logits": exported.logits(numbers)}
    return {
        CONFIG: encode_json(lens_config(exported)),
        TASKS: encode_json(tasks_record(exported)),
        README: readme(exported).encode(),
        BRIDGE: _tensors(hooked_to_bridge(hooked)),
        HOOKED: _tensors(hooked),
        EXPECTED: _tensors(expected),
    }


def _refuse_unknown(model: ModelConfig) -> None:
    if model.attention_coefficient != 1:
        reason = (
            f"attention_coefficient is {model.attention_coefficient}: TransformerLens' attention "
            "is only the softmax, so it must be 1"
        )
    elif model.activation == "tanh":
        reason = "activation is 'tanh': TransformerLens' act_fn must be relu or gelu"
    elif model.attention_mask == "full" and model.depth > 1:
        reason = (
            f"attention_mask is 'full' with {model.depth} blocks: the export is causal, so it must "
            "be causal, or depth must be 1, where both are the same"
        )
    else:
        return
    raise ValueError(f"{reason} (--to hf-folder and --to numpy write such a run)")


def lens_config(exported: ModelAt) -> dict[str, Any]:
    """The fields that both `TransformerBridgeConfig` and `HookedTransformerConfig` accept."""
    config = exported.run.config
    model, base = config.model, config.task.base
    return {
        "model_name": exported.run.name,
        "n_layers": model.depth,
        "d_model": model.width,
        "n_heads": model.heads,
        "d_head": model.head_width,
        "d_mlp": model.neurons,
        "n_ctx": model.positions,
        "d_vocab": model.tokens(base),
        "d_vocab_out": sum(config.task.class_sizes),
        "act_fn": model.activation,
        "normalization_type": None,
        "positional_embedding_type": "standard",
        "attention_dir": "causal",
        "attn_only": False,
        "use_attn_scale": True,
        "init_weights": False,
    }


def tasks_record(exported: ModelAt) -> dict[str, Any]:
    """The tasks, their slices of the logits, and the split."""
    run = exported.run
    task, sizes = run.config.task, run.dataset.class_sizes
    ends = np.cumsum(sizes)
    return {
        "run": run.name,
        "epoch": exported.epoch,
        "task": task.task,
        "target": task.target,
        "operation": task.operation,
        "base": task.base,
        "moduli": run.dataset.moduli,
        "class_sizes": sizes,
        "slices": [[int(end - size), int(end)] for end, size in zip(ends, sizes, strict=True)],
        "train": run.dataset.split.train,
        "validation": run.dataset.split.validation,
        "test": run.dataset.split.test,
    }


def readme(exported: ModelAt) -> str:
    """Instructions for both versions; every code block runs without changes."""
    run, base = exported.run, exported.run.config.task.base
    biases = (
        "of attention and unembedding in these files are zero; the MLPs' are trained"
        if run.config.model.mlp_bias
        else "in these files are zero"
    )
    kind = f"\n{exported.which_weights}" if exported.which_weights else ""
    without = "layer norm" if run.config.model.mlp_bias else "biases and without layer norm"
    return f"""# {run.name} for TransformerLens

The weights of the miiii run {run.name} after epoch {exported.epoch:,}. They were trained without
{without}; the biases {biases}.{kind}

| file | content |
|---|---|
| `{BRIDGE}` | the weights by TransformerLens 4's names |
| `{HOOKED}` | the weights by TransformerLens 2's names |
| `{CONFIG}` | the model's sizes, for both |
| `{TASKS}` | which logits belong to which task (`slices`), and the split |
| `{EXPECTED}` | tokens and logits (float64) of {CHECKED} numbers or fewer, to compare with |

The number n = x0 + {base}·x1 is read as the tokens `{exported.token_names}`. The answer is at the
last position, with the classes of all tasks side by side.

The weights are {run.config.training.precision}. The code below computes in float64, where logits
agree with miiii's own to 1e-5 and better; in float32 they agree up to float32's rounding, about a
millionth of the largest logit.

## TransformerLens 4

```python
{_recipe(_BRIDGE_PART, exported)}
```

What a hook returns at `blocks.i.hook_resid_mid` changes the MLP's input there, but not the skip
connection around it (seen in 4.3.0; version 2 changes both). To change the stream after attention,
change attention's output, at `blocks.i.hook_attn_out`.

## TransformerLens 2

```python
{_recipe(_HOOKED_PART, exported)}
```
"""


_BRIDGE_PART = f"""from transformer_lens import TransformerBridge, TransformerBridgeConfig

config = json.loads(Path("{CONFIG}").read_text())
config = TransformerBridgeConfig.from_dict({{**config, "dtype": torch.float64}})
model = TransformerBridge.boot_native(config, dtype=torch.float64)
model.load_state_dict(load_file("{BRIDGE}"), strict=True)"""

_HOOKED_PART = f"""from transformer_lens import HookedTransformer, HookedTransformerConfig

config = json.loads(Path("{CONFIG}").read_text())
config = HookedTransformerConfig.from_dict({{**config, "dtype": torch.float64}})
model = HookedTransformer(config)
left = model.load_state_dict(load_file("{HOOKED}"), strict=False)
assert not left.unexpected_keys
assert all(name.endswith((".mask", ".IGNORE")) for name in left.missing_keys)"""


_ANSWERS = f"""tasks = json.loads(Path("{TASKS}").read_text())
for modulus, (start, stop) in zip(tasks["moduli"], tasks["slices"]):
    print(f"task {{modulus}}: {{logits[:, start:stop].argmax(dim=1).tolist()}}")"""

_VALUES = "print(logits[:, 0].tolist())"


def _recipe(part: str, exported: ModelAt) -> str:
    return f"""import json
from pathlib import Path

import torch
from safetensors.torch import load_file
{part}

expected = load_file("{EXPECTED}")
with torch.inference_mode():
    logits = model(expected["tokens"].to(config.device))[:, -1].cpu()
assert (logits - expected["logits"]).abs().max() < 1e-5

{_VALUES if exported.run.config.task.is_regression else _ANSWERS}"""


def _tensors(arrays: dict[str, Any]) -> bytes:
    # The writer ignores strides, so every array is copied to C order first.
    return safetensors.numpy.save({name: np.array(one, order="C") for name, one in arrays.items()})
