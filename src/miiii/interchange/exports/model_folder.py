"""`--to hf-folder`: a folder with weights, settings and model card for the Hugging Face Hub.

The card is made from the run. The loading code in it needs only NumPy and safetensors.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import safetensors.numpy

from miiii.config.config import SECTIONS, to_toml
from miiii.experiment.model_at import ModelAt
from miiii.interchange.exports.layout import CONFIG, README, WEIGHTS
from miiii.interchange.exports.model_index import model_index
from miiii.markup import markdown_table
from miiii.model.config import ModelConfig
from miiii.runs.conditions import batch_size, conditions_text, resumption_lines
from miiii.runs.provenance import branch_text
from miiii.tasks.config import FORMULAS, TaskConfig
from miiii.tasks.dataset import Dataset, mirrored_text
from miiii.tasks.splits import PARTS

_SENTENCES = {
    "miiii": "the remainders of n modulo every q at once",
    "basis": "the remainders of n modulo every q at once, their rows shuffled: a control",
    "waves": "cos(2π·x0/p) + sin(2π·x1/p), a real number",
    "custom": "labels of its own",
}


def model_folder_files(exported: ModelAt, *, index: bool = False) -> dict[str, bytes]:
    """The folder's files by name."""
    weights = {name: weight.copy(order="C") for name, weight in exported.weights.items()}
    return {
        # The Hub's loaders need a framework's name here; "pt" is the one that all of them accept.
        WEIGHTS: safetensors.numpy.save(weights, metadata={"format": "pt"}),
        CONFIG: (json.dumps(folder_config(exported), indent=2) + "\n").encode(),
        README: model_card(exported, index=index).encode(),
    }


def folder_config(exported: ModelAt) -> dict[str, Any]:
    """The record in config.json: the model's sizes and the run's whole configuration."""
    run = exported.run
    config = run.config
    return {
        "model_type": "miiii",
        "run": run.name,
        "epoch": exported.epoch,
        "base": config.task.base,
        "moduli": list(run.dataset.moduli),
        "class_sizes": list(run.dataset.class_sizes),
        "seed": config.seed,
        **{section: dataclasses.asdict(getattr(config, section)) for section in SECTIONS},
    }


def model_card(exported: ModelAt, *, index: bool = False) -> str:
    """The model card: description, accuracies, settings, provenance and loading code.

    Args:
        exported: the model.
        index: whether to put accuracies into the front matter, as the Hub's `model-index`.
    """
    run = exported.run
    config = run.config
    base, model = config.task.base, config.model
    blocks = "one block" if model.depth == 1 else f"{model.depth} blocks"
    neurons = f"{model.neurons} {model.activation_name} neurons"
    kind = f"\n{exported.which_weights}" if exported.which_weights else ""
    sizes = [len(getattr(run.dataset.split, name)) for name in PARTS]
    holes = " that have an answer" if sum(sizes) < base**2 else ""
    regression, scores = config.task.is_regression, exported.accuracies()
    moduli = run.dataset.moduli
    results = model_index(run.name, base, moduli, scores, regression=regression) if index else ""
    return f"""---
library_name: miiii
tags:
- grokking
- mechanistic-interpretability
- modular-arithmetic
{results}---

# {run.name}

A transformer of {blocks} (width {model.width}, {model.heads} heads, {neurons},
{_details(model)}no layer norm) that reads a number n = x0 + {base}·x1 by its two base-{base}
digits, as the tokens `{exported.token_names}`, and predicts {_target(config.task)}. Trained by
miiii on {sizes[0]:,} of the {sum(sizes):,} numbers{holes}; {sizes[1]:,} validated,
{sizes[2]:,} were kept for testing. These are the weights after epoch {exported.epoch:,} of
{config.training.epochs:,}.{kind}

## How right it is

{_scores(run.dataset, scores, regression)}

## Settings

Seed {config.seed}. All settings, as miiii reads them back (`miiii train --config`):

```toml
{to_toml(config).strip()}
```

## Provenance

{_provenance(run.provenance)}

## How to load it

With NumPy only:

```python
{loading_code(model)}
```

miiii itself works on the run directory that this folder was made from.
"""


def _details(model: ModelConfig) -> str:
    """Biases, mask and attention coefficient, for the text before "no layer norm"."""
    parts = ["MLP biases" if model.mlp_bias else "no biases"]
    if model.attention_mask == "full":
        parts.append("no attention mask")
    if model.attention_coefficient != 1:
        parts.append(
            f"attention weights c · softmax + 1 - c with c = {model.attention_coefficient}"
        )
    return "".join(f"{part}, " for part in parts)


def _target(task: TaskConfig) -> str:
    if task.target == "divisibility":
        return "whether each q divides n" + (", shuffled" if task.task == "basis" else "")
    if task.task == "nanda":
        return f"{FORMULAS[task.operation]} mod {task.base}"
    return _SENTENCES[task.task]


def _scores(dataset: Dataset, parts: Mapping[str, Sequence[float | None]], regression: bool) -> str:
    measure = "Mean squared error" if regression else "Share of numbers answered right"
    head, rows = ["task", *parts], []
    for index, modulus in enumerate(dataset.moduli):
        cells = [_score(values[index], regression) for values in parts.values()]
        rows.append(["waves" if regression else str(modulus), *cells])
    lines = [f"{measure}, dropout off:", "", *markdown_table(head, rows, right=head)]
    if mirrored := mirrored_text(dataset):
        lines += ["", f"Of the validation: {mirrored}."]
    return "\n".join(lines)


def _score(value: float | None, regression: bool) -> str:
    if value is None:
        return "none"
    # Rounded down, so that 1 means that all answers are right.
    return f"{value:.3g}" if regression else f"{int(value * 10_000) / 10_000:.4f}"


def _provenance(origin: dict[str, Any]) -> str:
    versions = origin.get("versions") or {}
    device = origin.get("device") or {}
    git = origin.get("git") or {}
    rows = {
        "command": f"`{' '.join(origin.get('command', []))}`",
        "time": origin.get("time"),
        "device": f"{device.get('platform')} ({device.get('kind')})",
        "precision": origin.get("precision"),
        "source": git.get("revision", "an installed package")
        + (", with changes" if git.get("dirty") else ""),
        "versions": ", ".join(f"{name} {value}" for name, value in versions.items() if value),
        "split": f"digest {origin.get('split')}",
    }
    if conditions := conditions_text(origin):
        rows["conditions"] = conditions
    if (batch := batch_size(origin)) > 1:
        rows["batch"] = f"trained together with {batch - 1} other runs as one program"
    for number, line in enumerate(resumption_lines(origin), 1):
        rows[f"gone on with ({number})"] = line
    if "imported" in origin:
        rows["imported from"] = f"{origin['imported'].get('file')}, trained elsewhere"
    if branch := branch_text(origin):
        rows["branch"] = branch
    return "\n".join(f"- {name}: {value}" for name, value in rows.items())


def loading_code(model: ModelConfig) -> str:
    """A program that evaluates the folder's model with NumPy, reduced to the model's parts."""
    second = "p + n // p" if model.digit_tokens == "separate" else "n // p"
    last = ', np.full_like(n, len(w["token_embedding"]) - 1)' if model.answer_token else ""
    size = model.positions
    mask = f"np.ones(({size}, {size}), bool)"
    share = model.attention_coefficient
    bias_in, bias_out = (
        f' + w[f"blocks.{{i}}.{name}"]' if model.mlp_bias else ""
        for name in ("mlp_in_bias", "mlp_out_bias")
    )
    neurons = {
        "relu": "np.maximum(hidden, 0)",
        "gelu": "(hidden * (1 + erf(hidden / np.sqrt(2))) / 2)",
        "tanh": "np.tanh(hidden)",
    }
    filled = {
        "IMPORTS": "import json\n" + ("import math\n" if model.activation == "gelu" else ""),
        "ERF": "\nerf = np.vectorize(math.erf)" if model.activation == "gelu" else "",
        "TOKENS": f"np.stack([n % p, {second}{last}], axis=1)",
        "SEEN": mask if model.attention_mask == "full" else f"np.tril({mask})",
        "SHARE": ""
        if share == 1
        else f"\n        weights = seen * ({share} * weights + (1 - {share}))",
        "IN": bias_in,
        "NEURONS": neurons[model.activation],
        "OUT": bias_out,
    }
    code = _LOADING
    for name, text in filled.items():
        code = code.replace(f"<{name}>", text)
    return code


_LOADING = f'''<IMPORTS>from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

config = json.loads(Path("{CONFIG}").read_text())
w = load_file("{WEIGHTS}")<ERF>


def logits(n):
    """[B, V] for numbers n, [B]: every task's classes side by side."""
    p = config["base"]
    tokens = <TOKENS>
    x = w["token_embedding"][tokens] + w["position_embedding"]
    seen = <SEEN>
    for i in range(config["model"]["depth"]):
        q, k, v = (np.einsum("btd,hdk->bhtk", x, w[f"blocks.{{i}}.{{m}}"])
                   for m in ("query", "key", "value"))
        scores = np.where(seen, q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]), -np.inf)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)<SHARE>
        x = x + np.einsum("bhtk,hkd->btd", weights @ v, w[f"blocks.{{i}}.output"])
        hidden = x @ w[f"blocks.{{i}}.mlp_in"]<IN>
        x = x + <NEURONS> @ w[f"blocks.{{i}}.mlp_out"]<OUT>
    return x[:, -1] @ w["unembedding"]


cuts = np.cumsum(config["class_sizes"])[:-1]
for modulus, part in zip(config["moduli"], np.split(logits(np.arange(10)), cuts, axis=1)):
    print(f"task {{modulus}}:", part.argmax(axis=1))'''
