"""The optimiser's settings."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from miiii.optim.own import is_own
from miiii.refusals import check_choice, check_moduli

Optimiser = Literal["adamw", "muon"]
Filter = Literal["ema", "ma", "none", "ema_on_tasks", "ema_on_random"]
FilterStart = Literal["gradient", "zeros"]

ON_DIRECTIONS = ("ema_on_tasks", "ema_on_random")
"""Filters that amplify only a subspace of the functions of a digit, made from filter_tasks."""


@dataclass(frozen=True)
class OptimConfig:
    """The optimiser and the gradient filter in front of it (paper §3.4).

    Raises:
        ValueError: a field is out of its limits; the message names field, value and limits.
    """

    optimiser: Optimiser = "adamw"
    """adamw (the paper's), or muon (Jordan et al. 2024): orthogonalised momentum for the matrices
    inside the blocks, scaled to 0.2 of the learning rate per entry (Liu et al. 2025); embeddings
    and unembedding keep AdamW, with Nesterov momentum as Muon has it. From Python also own-NAME, as
    miiii.register_optimiser returns it."""
    learning_rate: float = 3e-4
    """Step size (> 0)."""
    weight_decay: float = 1 / 3
    """Decoupled weight decay: each update takes learning_rate × weight_decay of every weight."""
    beta1: float = 0.9
    """AdamW's decay of the mean gradient, per update (0 ≤ beta1 < 1)."""
    beta2: float = 0.98
    """AdamW's decay of the mean squared gradient, per update (0 ≤ beta2 < 1)."""
    epsilon: float = 1e-8
    """Added to AdamW's denominator (> 0)."""
    filter: Filter = "ema"
    """Grokfast: ema (exponential moving average of the gradients), ma (mean of the last
    filter_window), or none. ema_on_tasks is an ema of only the digits' embedding, on only the
    frequencies k/q of the filter_tasks; ema_on_random is its control, on as many random
    directions."""
    filter_strength: float = 0.5
    """λ: how much of the slow gradient is added to the gradient (≥ 0)."""
    filter_decay: float = 0.98
    """α: decay of the ema per update (0 ≤ α < 1)."""
    filter_start: FilterStart = "gradient"
    """The ema before the first update: the first gradient (Lee et al. 2024), or zeros."""
    filter_window: int = 100
    """Gradients that the ma averages, in updates (≥ 1); each is kept in memory."""
    filter_tasks: tuple[int, ...] = ()
    """Moduli q whose frequencies ema_on_tasks amplifies (2 3 5 7: those of the first circuits);
    those of all tasks together span every function of a digit. ema_on_random takes as many
    directions as they span."""
    orthogonal_gradient: bool = False
    """⊥Grad (Prieto et al. 2025): after the filter, remove from each tensor's gradient its part
    along the weights, and rescale it to its length before."""
    warmup_epochs: int = 0
    """Epochs over which the learning rate rises linearly to its value (0: none)."""
    decay_start: int = 0
    """Epoch from which the learning rate falls along a cosine (ignored with decay_epochs 0)."""
    decay_epochs: int = 0
    """Epochs that the fall takes; 0: the learning rate stays constant."""
    decay_floor: float = 0.1
    """The learning rate after the fall, as a share of its value (0 ≤ floor ≤ 1)."""
    restarts: int = 0
    """How many times the learning rate, after its fall, restarts at restart_height and falls again
    (warm restarts, Loshchilov and Hutter 2017)."""
    restart_epochs: int = 1300
    """Epochs that each fall after a restart takes (≥ 1)."""
    restart_height: float = 0.5
    """The learning rate at a restart, as a share of its value (decay_floor ≤ height ≤ 1)."""

    def __post_init__(self) -> None:
        if not is_own(self.optimiser):
            check_choice("optimiser", self.optimiser, get_args(Optimiser))
        check_choice("filter", self.filter, get_args(Filter))
        check_choice("filter_start", self.filter_start, get_args(FilterStart))
        for field in ("learning_rate", "epsilon"):
            value = getattr(self, field)
            if not (0 < value < math.inf):
                raise ValueError(f"{field} is {value}: it must be above 0 and finite")
        for field in ("weight_decay", "filter_strength"):
            value = getattr(self, field)
            if not (0 <= value < math.inf):
                raise ValueError(f"{field} is {value}: it must be at least 0 and finite")
        for field in ("beta1", "beta2", "filter_decay"):
            value = getattr(self, field)
            if not 0 <= value < 1:
                raise ValueError(f"{field} is {value}: it must be at least 0 and below 1")
        if not 0 <= self.decay_floor <= 1:
            raise ValueError(f"decay_floor is {self.decay_floor}: it must be from 0 to 1")
        object.__setattr__(self, "filter_tasks", tuple(self.filter_tasks))
        self._check_filter_tasks()
        if self.filter_window < 1:
            raise ValueError(f"filter_window is {self.filter_window}: it must be at least 1")
        for field in ("warmup_epochs", "decay_start", "decay_epochs", "restarts"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} is {getattr(self, field)}: it must be at least 0")
        self._check_restarts()

    def _check_restarts(self) -> None:
        if not self.restarts:
            return
        if not self.decay_epochs:
            raise ValueError(
                f"restarts is {self.restarts}: it needs decay_epochs, a fall to restart from"
            )
        if self.restart_epochs < 1:
            raise ValueError(f"restart_epochs is {self.restart_epochs}: it must be at least 1")
        if not self.decay_floor <= self.restart_height <= 1:
            raise ValueError(
                f"restart_height is {self.restart_height}: it must be from decay_floor, "
                f"{self.decay_floor}, to 1"
            )

    def _check_filter_tasks(self) -> None:
        check_moduli("filter_tasks", self.filter_tasks)
        if self.filter in ON_DIRECTIONS and not self.filter_tasks:
            raise ValueError(
                f"filter_tasks is empty: the filter {self.filter} needs at least one modulus"
            )
        if self.filter_tasks and self.filter not in ON_DIRECTIONS:
            raise ValueError(
                f"filter_tasks is {self.filter_tasks}: the filter {self.filter} takes none, only "
                f"{' and '.join(ON_DIRECTIONS)} do"
            )
