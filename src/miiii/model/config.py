"""The transformer's size and initialisation."""

import difflib
from dataclasses import dataclass
from typing import Literal, get_args

Initialisation = Literal["he", "reference"]


@dataclass(frozen=True)
class ModelConfig:
    """The transformer of the paper (§3.3): no biases, no layer norm, ReLU.

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

    def __post_init__(self) -> None:
        for field in ("width", "heads", "depth", "mlp_ratio"):
            value = getattr(self, field)
            if value < 1:
                raise ValueError(f"{field} is {value}: it must be at least 1")
        if self.width % self.heads:
            raise ValueError(f"heads is {self.heads}: it must divide the width, {self.width}")
        choices = get_args(Initialisation)
        if self.initialisation not in choices:
            near = difflib.get_close_matches(str(self.initialisation), choices, n=1, cutoff=0.5)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(
                f"initialisation is {self.initialisation!r}{hint}: "
                f"it must be one of {', '.join(choices)}"
            )

    @property
    def head_width(self) -> int:
        """K: width / heads."""
        return self.width // self.heads

    @property
    def neurons(self) -> int:
        """F: MLP neurons per block."""
        return self.mlp_ratio * self.width
