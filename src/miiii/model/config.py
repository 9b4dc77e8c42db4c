"""The transformer's size and initialisation."""

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

from miiii.refusals import check_choice

Initialisation = Literal["he", "reference"]
Activation = Literal["relu", "gelu", "tanh"]
AttentionMask = Literal["causal", "full"]
DigitTokens = Literal["shared", "separate"]

_CHOICES = {
    "initialisation": get_args(Initialisation),
    "activation": get_args(Activation),
    "attention_mask": get_args(AttentionMask),
    "digit_tokens": get_args(DigitTokens),
}


@dataclass(frozen=True)
class Architecture:
    """The settings of the forward pass that the weights' shapes do not show; see `ModelConfig`."""

    activation: Activation = "relu"
    attention_mask: AttentionMask = "causal"
    attention_coefficient: float = 1.0
    digit_tokens: DigitTokens = "shared"


PAPER = Architecture()
"""The paper's (§3.3), and that of every run stored before these settings existed."""


@dataclass(frozen=True)
class ModelConfig:
    """The transformer. Defaults are the paper's (§3.3): no biases, no layer norm, ReLU.

    Raises:
        ValueError: a field is out of its limits; the message names field, value and limits.
    """

    width: int = 256
    """d: numbers in the residual stream at each position."""
    heads: int = 4
    """Attention heads per block; they must divide the width."""
    depth: int = 1
    """Transformer blocks."""
    mlp_ratio: int = 4
    """MLP neurons per block, as a multiple of the width."""
    initialisation: Initialisation = "he"
    """Initial weights: he (He-normal, fan-in the width that the matrix is summed over) or
    reference (truncated He-normal, fan-in the second-last axis times all leading axes)."""
    init_scale: float = 1.0
    """A factor on every initial weight, embeddings and unembedding included (> 0, no unit; 1: as
    drawn; α of Liu et al. 2023, Omnigrok, who delay generalisation by large ones)."""
    mlp_bias: bool = False
    """Whether every MLP has biases, b_in [F] before the activation and b_out [D] after W_out.
    They start at zero."""
    activation: Activation = "relu"
    """The neurons' nonlinearity: relu, gelu (x · Φ(x) by the error function, no approximation) or
    tanh."""
    answer_token: bool = True
    """Whether a third token marks the position at which the logits are read. Without it there are
    two positions, and the logits are read at the last digit's (Zhong et al. 2023)."""
    attention_mask: AttentionMask = "causal"
    """The positions that a position sees: causal (itself and those before it) or full (all). For
    one block they are the same, since its last position sees all either way."""
    attention_coefficient: float = 1.0
    """c, from 0 to 1: attention weights are c · softmax + (1 − c) at the positions that are seen,
    and 0 at the others (the attention rate of Zhong et al. 2023, §2). At c = 0 every weight is
    1."""
    digit_tokens: DigitTokens = "shared"
    """Whether both digits have the same tokens: shared, or separate (x1's digit v is token
    p + v)."""

    def __post_init__(self) -> None:
        for field in ("width", "heads", "depth", "mlp_ratio"):
            value = getattr(self, field)
            if value < 1:
                raise ValueError(f"{field} is {value}: it must be at least 1")
        if self.width % self.heads:
            raise ValueError(f"heads is {self.heads}: it must divide the width, {self.width}")
        for field, choices in _CHOICES.items():
            check_choice(field, getattr(self, field), choices)
        if not 0 < self.init_scale < math.inf:
            raise ValueError(f"init_scale is {self.init_scale}: it must be above 0 and finite")
        if not 0 <= self.attention_coefficient <= 1:
            raise ValueError(
                f"attention_coefficient is {self.attention_coefficient}: it must be from 0 to 1"
            )

    @property
    def head_width(self) -> int:
        """K: width / heads."""
        return self.width // self.heads

    @property
    def neurons(self) -> int:
        """F: MLP neurons per block."""
        return self.mlp_ratio * self.width

    @property
    def activation_name(self) -> str:
        """The activation as pictures and captions write it."""
        return {"relu": "ReLU", "gelu": "GELU"}.get(self.activation, self.activation)

    @property
    def positions(self) -> int:
        """T: the two digits, and the answer token where there is one."""
        return 3 if self.answer_token else 2

    def tokens(self, base: int) -> int:
        """How many tokens there are: the digits', shared or separate, and the answer token."""
        digits = base if self.digit_tokens == "shared" else 2 * base
        return digits + self.answer_token

    @property
    def weight_names(self) -> tuple[str, ...]:
        """Every weight's name, in the order of `parameters.weight_names`, which needs JAX."""
        block = ["query", "key", "value", "output", "mlp_in", "mlp_out"]
        if self.mlp_bias:
            block += ["mlp_in_bias", "mlp_out_bias"]
        blocks = [f"blocks.{index}.{name}" for index in range(self.depth) for name in block]
        return ("token_embedding", "position_embedding", *blocks, "unembedding")

    @property
    def architecture(self) -> Architecture:
        """The settings that `Parameters` keeps beside the weights."""
        names = [field.name for field in fields(Architecture)]
        return Architecture(**{name: getattr(self, name) for name in names})
