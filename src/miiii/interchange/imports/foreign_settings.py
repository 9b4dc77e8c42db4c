"""The settings that came with a model, in this project's terms.

Three kinds are read: TransformerLens' configuration; the `config` in training files of Nanda et al.
2023 (`p`, `fn_name`, `frac_train`, `seed`); the `config_ID.json` of Zhong et al. 2023 (`C`,
`funcs`, `attn_coeff`, `diff_vocab`, `eqn_sign`). The last kind's `attention_dir` and stored mask
say causal, and its code applies no mask.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from miiii.tasks.config import Operation

Kind = Literal["none", "transformer-lens", "nanda", "zhong"]

_ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "tanh": "tanh"}
_EXPECTED: dict[str, tuple[Any, ...]] = {
    "normalization_type": (None,),
    "positional_embedding_type": ("standard",),
    "attn_only": (False,),
    "gated_mlp": (False,),
    "parallel_attn_mlp": (False,),
    "use_local_attn": (False,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "attn_scores_soft_cap": (-1, 0),
    "output_logits_soft_cap": (-1, 0),
}
"""Settings of TransformerLens that have one value in this project's transformer."""
_FUNCTION = re.compile(r"lambda x: *\((.+)\) *% *(\d+)")
_BODIES = {
    "x[0]+x[1]": "add",
    "x[0]-x[1]": "subtract",
    "x[0]*x[1]": "multiply",
    "x[0]**2+x[0]*x[1]+x[1]**2": "x2xyy2",
}
"""Operations by what stands between the parentheses, without spaces."""


@dataclass(frozen=True)
class ForeignSettings:
    """What is known; None where the settings do not say.

    Attributes:
        kind: whose settings they are; "none": there are none.
        base: p.
        operation: of the two digits.
        other_operation: what they say instead where this project has no such operation.
        heads: attention heads per block.
        activation: of the neurons.
        attention_mask: what a position sees.
        attention_coefficient: c of c · softmax + (1 − c).
        separate_tokens: whether the second digit has tokens of its own.
        answer_token: whether an "=" follows the digits.
        attention_scale: what scores are divided by.
        unscaled: whether they say that scores are not divided (`use_attn_scale` false).
        seed: of Python's shuffle of all pairs, which made the split.
        train_fraction: the share of pairs trained on.
    """

    kind: Kind = "none"
    base: int | None = None
    operation: Operation | None = None
    other_operation: str | None = None
    heads: int | None = None
    activation: str | None = None
    attention_mask: str | None = None
    attention_coefficient: float | None = None
    separate_tokens: bool | None = None
    answer_token: bool | None = None
    attention_scale: float | None = None
    unscaled: bool = False
    seed: int | None = None
    train_fraction: float | None = None


def read_settings(config: Mapping[str, Any]) -> ForeignSettings:
    """Read a model's settings.

    Raises:
        ValueError: this project's transformer is no such model; every reason is named.
    """
    if not config:
        return ForeignSettings()
    if {"attn_coeff", "diff_vocab", "eqn_sign", "funcs", "use_linear"} & set(config):
        return _zhong(config)
    if {"fn_name", "frac_train"} & set(config):
        return _nanda(config)
    return _transformer_lens(config)


def _zhong(config: Mapping[str, Any]) -> ForeignSettings:
    base = _whole("C", config.get("C"))
    operation = other = None
    if isinstance(funcs := config.get("funcs"), str):
        match = _FUNCTION.fullmatch(funcs.strip())
        name = _BODIES.get(match[1].replace(" ", "")) if match is not None else None
        known = next((one for one in get_args(Operation) if one == name), None)
        if match is None or known is None or (base is not None and int(match[2]) != base):
            other = f"funcs is {funcs!r}"
        else:
            operation, base = known, int(match[2])
    coefficient = config.get("attn_coeff", 1)
    if not isinstance(coefficient, int | float) or not 0 <= coefficient <= 1:
        raise ValueError(f"attn_coeff is {coefficient!r}: expected a number from 0 to 1")
    return ForeignSettings(
        "zhong",
        base=base,
        operation=operation,
        other_operation=other,
        heads=_whole("n_heads", config.get("n_heads")),
        activation=_activation(config, "act_fn"),
        attention_mask="full",
        attention_coefficient=float(coefficient),
        separate_tokens=bool(config.get("diff_vocab", False)),
        answer_token=bool(config.get("eqn_sign", False)),
        train_fraction=_share("frac", config.get("frac")),
    )


def _nanda(config: Mapping[str, Any]) -> ForeignSettings:
    name = config.get("fn_name")
    known = name in get_args(Operation)
    return ForeignSettings(
        "nanda",
        base=_whole("p", config.get("p")),
        operation=name if known else None,
        other_operation=None if known or name is None else f"fn_name is {name!r}",
        heads=_whole("num_heads", config.get("num_heads")),
        activation=_activation(config, "act_type"),
        attention_mask="causal",
        separate_tokens=False,
        seed=_whole("seed", config.get("seed")),
        train_fraction=_share("frac_train", config.get("frac_train")),
    )


def _transformer_lens(config: Mapping[str, Any]) -> ForeignSettings:
    refused = [
        f"{name} is {config[name]!r} (expected {allowed[0]!r})"
        for name, allowed in _EXPECTED.items()
        if name in config and config[name] not in allowed
    ]
    activation = None
    try:
        activation = _activation(config, "act_fn")
    except ValueError as error:
        refused.insert(0, str(error))
    if refused:
        raise ValueError("; ".join(refused) + ": this transformer has no such part")
    direction = config.get("attention_dir", "causal")
    if direction not in ("causal", "bidirectional"):
        raise ValueError(f"attention_dir is {direction!r}: expected causal or bidirectional")
    scale = config.get("attn_scale", -1)
    scale = float(scale) if isinstance(scale, int | float) and scale > 0 else None
    return ForeignSettings(
        "transformer-lens",
        heads=_whole("n_heads", config.get("n_heads")),
        activation=activation,
        attention_mask="causal" if direction == "causal" else "full",
        attention_scale=scale,
        unscaled=config.get("use_attn_scale", True) is False,
    )


def _activation(config: Mapping[str, Any], name: str) -> str | None:
    given = config.get(name)
    if given is None:
        return None
    found = _ACTIVATIONS.get(str(given).lower())
    if found is None:
        raise ValueError(f"{name} is {given!r} (expected one of {', '.join(_ACTIVATIONS)})")
    return found


def _whole(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {value!r}: expected a whole number")
    return int(value)


def _share(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(f"{name} is {value!r}: expected a share between 0 and 1")
    return float(value)
