"""Settings of training and of its measurements."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from miiii.refusals import check_choice

DropoutMask = Literal["per_sample", "per_step"]
TaskReduction = Literal["sum", "mean", "quadratic_mean"]
TaskScale = Literal["log_classes", "none"]
Normaliser = Literal["softmax", "stablemax"]
Precision = Literal["float32", "float64"]
MatrixProducts = Literal["float32", "tensorfloat32"]

GENERATOR = "threefry2x32"
"""The kind of every random key; it draws the same on every device."""


@dataclass(frozen=True)
class TrainingConfig:
    """Full-batch training (paper §3.4), or in minibatches.

    Raises:
        ValueError: a field is out of its limits; the message names field, value and limits.
    """

    epochs: int = 65536
    """Passes over the training numbers, each with as many updates as minibatches."""
    minibatches: int = 1
    """Updates per epoch, each on an equal share of the training numbers, whose order is drawn for
    every epoch (1: full batch, the paper's). Numbers left over by equal shares are not used in that
    epoch."""
    dropout: float = 0.1
    """Share of the residual stream dropped after attention and after the MLP (0 ≤ dropout < 1;
    0: none)."""
    dropout_mask: DropoutMask = "per_sample"
    """per_sample: a fresh mask for every number; per_step: one mask per update for all of
    its numbers."""
    task_reduction: TaskReduction = "sum"
    """The loss over tasks: their sum (paper Eq. 10), mean, or quadratic_mean: the root of their
    mean square, in which a task weighs as much as its loss (Li et al. 2020, q = 1)."""
    task_scale: TaskScale = "log_classes"
    """What a task's cross-entropy is divided by: log_classes (ln q, so that guessing costs 1) or
    none (nats)."""
    large_task_power: float = 0.0
    """Weigh a task of more than large_task_classes classes in the training loss by its size: by
    (classes / large_task_classes) to this power, all weights then divided by their mean (≥ 0; 0:
    equal weights, the paper's). Large tasks generalise last, which the loss does not show."""
    large_task_classes: int = 29
    """The most classes of a task that large_task_power does not weigh by its size (≥ 1)."""
    large_task_epoch: int = 1
    """First epoch with large_task_power (≥ 1); before it all tasks have equal weights."""
    normaliser: Normaliser = "softmax"
    """How logits become probabilities in the loss, of training and of validation: softmax, or
    stablemax (Prieto et al. 2025), whose numerators grow linearly, so that a certain answer still
    has a gradient. Accuracies do not depend on it."""
    label_smoothing: float = 0.0
    """The share of the target probability that is spread evenly over all classes of a task; the
    right class gets the rest (Szegedy et al. 2016; 0 ≤ label_smoothing < 1; 0: none). For the
    training loss only; needs the softmax, and classes."""
    label_smoothing_epochs: int = 0
    """Epochs over which label_smoothing falls in a straight line to 0 (0: it does not fall)."""
    average_weights: float = 0.0
    """Decay per update of an exponential average of the weights, free of bias at its start (Polyak
    averaging; 0 ≤ average_weights < 1; 0: none). The averaged model is validated, kept in snapshots
    and analysed; the raw weights are trained, and validated as well."""
    precision: Precision = "float32"
    """Of weights, activations and loss."""
    matrix_products: MatrixProducts = "float32"
    """How a GPU multiplies float32 matrices: float32 (exact) or tensorfloat32 (faster, 10-bit
    mantissa). No effect on the CPU or in float64."""
    validate_every: int = 1
    """Epochs between validations (1: every epoch)."""
    stop_when: float = 0.0
    """End a run early, as finished, once the validation accuracy of every trained task has held
    this share for stop_after epochs (0 < stop_when ≤ 1; 0: train all epochs)."""
    stop_after: int = 2000
    """Epochs for which stop_when must have held, validation after validation, without a break."""
    snapshots: int = 64
    """How many times the weights are kept for analysis over 65,536 epochs, evenly spaced in log
    epoch; a shorter run has fewer, on the same grid (0: never)."""
    checkpoint_seconds: float = 30.0
    """Seconds between checkpoints to resume from (> 0)."""
    origin: str = ""
    """A digest of the weights, and of the optimiser's state where it was taken, that a branch
    begins with; written by `miiii train --from`."""

    @property
    def average_text(self) -> str:
        """The kind of average that the model is, as text; empty where the run keeps none."""
        decay = self.average_weights
        return f"exponential average of the weights, decay {decay:g} per update" if decay else ""

    def __post_init__(self) -> None:
        for field, choices in (
            ("dropout_mask", get_args(DropoutMask)),
            ("task_reduction", get_args(TaskReduction)),
            ("task_scale", get_args(TaskScale)),
            ("normaliser", get_args(Normaliser)),
            ("precision", get_args(Precision)),
            ("matrix_products", get_args(MatrixProducts)),
        ):
            check_choice(field, getattr(self, field), choices)
        for least, names in (
            (1, ("epochs", "minibatches", "validate_every")),
            (1, ("large_task_classes", "large_task_epoch")),
            (0, ("snapshots", "stop_after", "label_smoothing_epochs")),
        ):
            for field in names:
                if (value := getattr(self, field)) < least:
                    raise ValueError(f"{field} is {value}: it must be at least {least}")
        for field in ("dropout", "average_weights", "label_smoothing"):
            if not 0 <= (value := getattr(self, field)) < 1:
                raise ValueError(f"{field} is {value}: it must be at least 0 and below 1")
        if self.epochs >= 2**31:
            raise ValueError(f"epochs is {self.epochs}: it must be below 2³¹")
        if not 0 <= self.stop_when <= 1:
            raise ValueError(f"stop_when is {self.stop_when}: it must be from 0 (off) to 1")
        if not 0 <= self.large_task_power < math.inf:
            raise ValueError(
                f"large_task_power is {self.large_task_power}: it must be at least 0 and finite"
            )
        if self.label_smoothing and self.normaliser != "softmax":
            raise ValueError(
                f"label_smoothing is {self.label_smoothing} with normaliser {self.normaliser}: "
                "it needs normaliser softmax"
            )
        if not self.checkpoint_seconds > 0:
            raise ValueError(f"checkpoint_seconds is {self.checkpoint_seconds}: it must be above 0")
