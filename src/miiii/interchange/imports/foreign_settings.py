"""Translate a published model's settings to this package's terms.

Three kinds are read: TransformerLens' configuration; the `config` in training files of Nanda et al.
2023 (`p`, `fn_name`, `frac_train`, `seed`); the `config_ID.json` of Zhong et al. 2023 (`C`,
`funcs`, `attn_coeff`, `diff_vocab`, `eqn_sign`). The last kind stores `attention_dir` "causal" and
a causal mask, but its code applies no mask.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from miiii.tasks.config import Operation

Kind = Literal["none", "transformer-lens", "nanda", "zhong"]

_ACTIVATIONS = ("relu", "gelu", "tanh")
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
"""Settings of TransformerLens, with the values that this package's transformer implements."""
_FUNCTION = re.compile(r"lambda x: *\((.+)\) *% *(\d+)")
_BODIES = {
    "x[0]+x[1]": "add",
    "x[0]-x[1]": "subtract",
    "x[0]*x[1]": "multiply",
    "x[0]**2+x[0]*x[1]+x[1]**2": "x2xyy2",
}
"""Operations by the text between the parentheses, without spaces."""


@dataclass(frozen=True)
class ForeignSettings:
    """A model's settings; None if the file does not give them.

    Attributes:
        kind: the code that wrote the settings; "none": there are none.
        base: p.
        operation: the operation on the two digits.
        other_operation: text of an operation that this package lacks.
        heads: attention heads per block.
        activation: the neurons' activation function.
        attention_mask: causal or full.
        attention_coefficient: c in c · softmax + (1 − c).
        separate_tokens: whether the second digit has different tokens than the first.
        answer_token: whether an "=" follows the digits.
        attention_scale: the divisor of attention scores.
        unscaled: whether `use_attn_scale` is false, so that scores are not divided.
        seed: seed of Python's shuffle of all pairs, which makes the split.
        train_fraction: share of pairs that train.
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
        ValueError: this package's transformer cannot be such a model; the message has all reasons.
    """
    if not config:
        return ForeignSettings()
    reading = _Reading(config)
    if {"attn_coeff", "diff_vocab", "eqn_sign", "funcs", "use_linear"} & set(config):
        found = _zhong(reading)
    elif {"fn_name", "frac_train"} & set(config):
        found = _nanda(reading)
    else:
        found = _transformer_lens(reading)
    if reading.refused:
        raise ValueError("; ".join(reading.refused))
    return found


class _Reading:
    """Settings by name; refusals are collected, so that one message has them all."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.refused: list[str] = []

    def one_of(self, name: str, allowed: tuple[Any, ...]) -> None:
        if name in self.config and self.config[name] not in allowed:
            self.refused.append(
                f"{name} is {self.config[name]!r} (expected {allowed[0]!r}): this transformer has "
                "no such part"
            )

    def activation(self, name: str) -> str | None:
        given = self.config.get(name)
        found = str(given).lower()
        if given is None or found in _ACTIVATIONS:
            return None if given is None else found
        self.refused.append(f"{name} is {given!r} (expected one of {', '.join(_ACTIVATIONS)})")
        return None

    def direction(self) -> str:
        given = self.config.get("attention_dir", "causal")
        if given not in ("causal", "bidirectional"):
            self.refused.append(f"attention_dir is {given!r}: expected causal or bidirectional")
        return "causal" if given == "causal" else "full"

    def whole(self, name: str) -> int | None:
        value = self.config.get(name)
        if value is None or (isinstance(value, int) and value >= 0):
            return None if value is None else int(value)
        self.refused.append(f"{name} is {value!r}: expected a whole number")
        return None

    def share(self, name: str) -> float | None:
        value = self.config.get(name)
        if value is None or (isinstance(value, int | float) and 0 < value < 1):
            return None if value is None else float(value)
        self.refused.append(f"{name} is {value!r}: expected a share between 0 and 1")
        return None

    def coefficient(self) -> float:
        value = self.config.get("attn_coeff", 1)
        if isinstance(value, int | float) and 0 <= value <= 1:
            return float(value)
        self.refused.append(f"attn_coeff is {value!r}: expected a number from 0 to 1")
        return 1.0


def _zhong(reading: _Reading) -> ForeignSettings:
    config, base = reading.config, reading.whole("C")
    operation = other = None
    if isinstance(funcs := config.get("funcs"), str):
        match = _FUNCTION.fullmatch(funcs.strip())
        name = _BODIES.get(match[1].replace(" ", "")) if match is not None else None
        known = next((one for one in get_args(Operation) if one == name), None)
        if match is None or known is None or (base is not None and int(match[2]) != base):
            other = f"funcs is {funcs!r}"
        else:
            operation, base = known, int(match[2])
    return ForeignSettings(
        "zhong",
        base=base,
        operation=operation,
        other_operation=other,
        heads=reading.whole("n_heads"),
        activation=reading.activation("act_fn"),
        attention_mask="full",
        attention_coefficient=reading.coefficient(),
        separate_tokens=bool(config.get("diff_vocab", False)),
        answer_token=bool(config.get("eqn_sign", False)),
        train_fraction=reading.share("frac"),
    )


def _nanda(reading: _Reading) -> ForeignSettings:
    name = reading.config.get("fn_name")
    known = name in get_args(Operation)
    return ForeignSettings(
        "nanda",
        base=reading.whole("p"),
        operation=name if known else None,
        other_operation=None if known or name is None else f"fn_name is {name!r}",
        heads=reading.whole("num_heads"),
        activation=reading.activation("act_type"),
        attention_mask="causal",
        separate_tokens=False,
        seed=reading.whole("seed"),
        train_fraction=reading.share("frac_train"),
    )


def _transformer_lens(reading: _Reading) -> ForeignSettings:
    config, activation = reading.config, reading.activation("act_fn")
    for name, allowed in _EXPECTED.items():
        reading.one_of(name, allowed)
    scale = config.get("attn_scale", -1)
    scale = float(scale) if isinstance(scale, int | float) and scale > 0 else None
    return ForeignSettings(
        "transformer-lens",
        heads=reading.whole("n_heads"),
        activation=activation,
        attention_mask=reading.direction(),
        attention_scale=scale,
        unscaled=config.get("use_attn_scale", True) is False,
    )
