"""The measurements of one run that the ledger uses: numbers and short arrays.

Thresholds in capitals are in `claims.rules.paper`.

Glossary: N task, S snapshot, H head, R random draw, W weight. A task's epoch is the first from
which its validation accuracy stays at or above `GENERALISED_AT` to the end of the run; None
where it does not. A missing record is None, a missing number NaN. Dropout is off in all measures
except the training losses and accuracies, which are of the passes that trained.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from miiii.claims.plain import from_plain, to_plain

VERSION = 6
"""Of the records below; runs with records of another version are measured again."""


@dataclass(frozen=True)
class Origin:
    """The run, and the settings that the claims compare."""

    run: str
    """The run's name."""
    seed: int
    epoch: int
    """The last epoch that was trained."""
    epochs: int
    """The epochs that were planned."""
    task: str
    """miiii, nanda, basis or waves."""
    base: int
    """p."""
    moduli: tuple[int, ...]
    """[N]: one per task."""
    masked: tuple[int, ...]
    """Moduli left out of the training loss."""
    width: int
    """d."""
    train_fraction: float
    optimiser: str
    learning_rate: float
    weight_decay: float
    filter_strength: float
    """λ; 0 where there is no filter."""
    dropout: float
    precision: str
    device: str
    """The platform that it was trained on: cpu, gpu."""
    versions: dict[str, str]
    """Of the packages that computed the numbers."""
    filter: str = "ema"
    """Gradient filter: none, ema, ma, or one on chosen frequencies."""
    orthogonal_gradient: bool = False
    minibatches: int = 1
    """Updates per epoch."""
    restarts: int = 0
    """Of the learning rate."""
    normaliser: str = "softmax"
    label_smoothing: float = 0.0
    """Share, at the first epoch."""
    large_task_power: float = 0.0
    """Power of a task's size in its weight in the loss."""
    average_weights: float = 0.0
    """Decay of the averaged weights, which are then measured; 0: no average."""
    task_reduction: str = "sum"
    """The loss over tasks: sum, mean or quadratic_mean."""
    stopped: bool = False
    """Whether the stopping rule ended the run."""

    @property
    def finished(self) -> bool:
        """Whether it was trained for as long as planned, or ended by its stopping rule."""
        return self.stopped or self.epoch >= self.epochs

    @property
    def reach(self) -> int:
        """The last epoch at which the run can be compared with others.

        For a run that its stopping rule ended: the planned number of epochs.
        """
        return max(self.epoch, self.epochs) if self.stopped else self.epoch


@dataclass(frozen=True)
class Performance:
    """Accuracies and losses of each task (C1 to C5, C16). Columns as in `Origin.moduli`."""

    held_from: tuple[int | None, ...]
    """[N]: each task's epoch, as in the module's glossary."""
    train_accuracy: tuple[float, ...]
    """[N], shares, at the last epoch."""
    validation_accuracy: tuple[float, ...]
    """[N], shares, at the last validation."""
    domain_accuracy: tuple[float, ...]
    """[N], shares of all p² numbers. NaN for waves."""
    train_loss: tuple[float, ...]
    """[N], at the last epoch."""
    validation_loss: tuple[float, ...]
    """[N], at the last validation."""
    first_train_loss: float
    """Mean over the trained tasks at the first epoch."""
    late_train_loss: float
    """Mean over the trained tasks, median over the last twentieth of the epochs."""
    lowest_validation_loss: float
    """Mean over the trained tasks, smallest over the validations."""
    lowest_validation_epoch: int
    """Its epoch."""
    late_validation_loss: float
    """Mean over the trained tasks, median over the last twentieth of the validations."""
    late_gain: float
    """Mean validation accuracy of the trained tasks over the last twentieth of the validations,
    less that of the twentieth that ends a tenth of the validations before the end."""


@dataclass(frozen=True)
class Neurons:
    """Periodicity of the last model's neurons (C6 to C8)."""

    hidden_share: float
    """Median over neurons: share of variance in the strongest pairs of frequencies, after the
    ReLU."""
    hidden_null: tuple[float, ...]
    """[R]: the same with the digits renamed."""
    output_share: float
    """As `hidden_share`, after W_out."""
    output_null: tuple[float, ...]
    """[R]."""
    needed: float
    """Single frequencies that hold 90 % of a hidden neuron's variance, median over neurons."""
    needed_quartiles: tuple[float, ...]
    """[2]: first and third, over the same neurons."""
    needed_null: float
    """`needed` with the digits renamed, median over renamings."""
    needed_pairs: float
    """As `needed`, counting pairs of frequencies."""
    silent: int
    """Hidden neurons without variance."""


@dataclass(frozen=True)
class Frequencies:
    """Significant frequencies of all hidden neurons through the snapshots (C9, C17)."""

    available: int
    """Number of single frequencies: ⌊p/2⌋."""
    epochs: tuple[int, ...]
    """[S], ascending."""
    counts: tuple[int, ...]
    """[S]: above μ + 2σ, the paper's rule."""
    calibrated: tuple[int, ...]
    """[S]: above the largest power with digits renamed."""
    null_counts: tuple[float, ...]
    """[S]: frequencies by the paper's rule with digits renamed, mean over renamings."""
    pair_counts: tuple[int, ...]
    """[S]: pairs (k1, k0) above μ + 2σ."""


@dataclass(frozen=True)
class Embeddings:
    """Token and positional embeddings of the last model (C10 to C13)."""

    pearson: float
    """r of the two digit positions; NaN where one is constant."""
    components_half: int
    """Singular components for 50 % of Σσ²."""
    components_nine_tenths: int
    """For 90 %."""
    vector_share: tuple[float, ...]
    """Share of each leading left vector's power in its strongest frequency, strongest first."""
    random_share: float
    """The share that a random unit vector exceeds with probability 5 %."""
    count: int
    """Frequencies above μ + 2σ."""
    random_count: float
    """The same in random matrices of the same shape, mean."""
    calibrated: int
    """Frequencies above the largest power with digits renamed."""
    needed: int
    """Strongest frequencies that together hold 90 % of the power, the constant left out."""
    random_needed: tuple[int, ...]
    """[R]: the same in random matrices of the same shape."""
    available: int
    """Number of frequencies: ⌊p/2⌋."""


@dataclass(frozen=True)
class Heads:
    """Attention from the last position in the last model, mean over all p² numbers (C14)."""

    to_x0: tuple[float, ...]
    """[H]."""
    to_x1: tuple[float, ...]
    """[H]."""
    to_answer: tuple[float, ...]
    """[H]; 0 in a model without an answer token."""
    entropy: tuple[float, ...]
    """[H], nats, 0 to ln T for T positions."""


@dataclass(frozen=True)
class Gradients:
    """The epoch from which each weight's gradient is small for good (C15)."""

    names: tuple[str, ...]
    """[W]."""
    settled: tuple[int | None, ...]
    """[W]: the epoch from which the norm stays below `AT_REST` of its peak; None: never."""
    last_share: tuple[float, ...]
    """[W]: norm / peak at the last epoch."""
    window: int
    """Epochs of the running median over the norms."""


@dataclass(frozen=True)
class Passing:
    """Counts of numbers that pass the test "no predicted remainder is 0"."""

    small_primes: int
    """Primes below p: each is a modulus, so that right remainders make it fail."""
    small_primes_passing: int
    primes: int
    """Primes from p up: right remainders make them pass."""
    primes_passing: int
    composites: int
    """Right remainders make them fail."""
    composites_passing: int

    @property
    def precision(self) -> float:
        """Share of primes among the numbers that pass; NaN if none passes."""
        prime = self.small_primes_passing + self.primes_passing
        return _share(prime, prime + self.composites_passing)

    @property
    def recall(self) -> float:
        """Share of all primes that passes."""
        return _share(
            self.small_primes_passing + self.primes_passing, self.small_primes + self.primes
        )

    @property
    def recall_from_base(self) -> float:
        """Share of the primes from p up that passes."""
        return _share(self.primes_passing, self.primes)


@dataclass(frozen=True)
class Primality:
    """The tasks together as a test of primality, on n > 1 (C19)."""

    everywhere: Passing
    """On all numbers."""
    held_out: Passing
    """On the numbers that were not trained on."""


@dataclass(frozen=True)
class Multiples:
    """Accuracy on multiples and on other numbers, per modulus, outside training (B2).

    Where remainders are learnt, a number counts as a multiple if its predicted remainder is 0.
    """

    found: tuple[float, ...]
    """[N]: share of the multiples that are found; NaN without multiples."""
    spared: tuple[float, ...]
    """[N]: share of the other numbers that are not taken for multiples; NaN without others."""

    @property
    def balanced(self) -> tuple[float, ...]:
        """[N]: the mean of both shares, ½ for guessing."""
        return tuple(
            (found + spared) / 2 for found, spared in zip(self.found, self.spared, strict=True)
        )


@dataclass(frozen=True)
class Sharing:
    """Whether tasks share circuits, at snapshots after they generalised (C18).

    The index: the accuracy that other tasks lose when one task's circuit is removed, over the
    accuracy that this task loses. From both the loss by a random removal of the same size is
    subtracted. It is 0 for separate circuits, 1 for one common circuit, and NaN where a task loses
    no more than by the random removal.
    """

    epochs: tuple[int, ...]
    """[S], ascending, from the first after these tasks generalised, or a later one."""
    neurons: tuple[float, ...]
    """[S]: the index; a circuit is the neurons attributed to the task."""
    neurons_low: tuple[float, ...]
    """[S]: lower end of its 95 % interval over tasks and random draws."""
    neurons_high: tuple[float, ...]
    """[S]."""
    harmonics: tuple[float, ...]
    """[S]: the index; a circuit is the task's harmonics on the number line."""
    harmonics_low: tuple[float, ...]
    """[S]."""
    harmonics_high: tuple[float, ...]
    """[S]."""


@dataclass(frozen=True)
class LateSharing:
    """The sharing index in the last epochs of a training as long as the paper's."""

    moduli: tuple[int, ...]
    """The tasks that hold at the first of the snapshots; the index is over these only."""
    index: Sharing


@dataclass(frozen=True)
class Measurements:
    """The measurements of one run; records beyond the depth that was asked for are None."""

    origin: Origin
    performance: Performance
    gradients: Gradients
    primality: Primality | None = None
    """None unless the tasks are the primes below p."""
    multiples: Multiples | None = None
    """None unless the task is miiii."""
    neurons: Neurons | None = None
    frequencies: Frequencies | None = None
    """None where the run kept no snapshots."""
    embeddings: Embeddings | None = None
    heads: Heads | None = None
    sharing: Sharing | None = None
    """None without a measurement, or where not every task generalised."""
    late_sharing: LateSharing | None = None
    """None without a measurement, in a shorter training, and where fewer than two tasks hold."""

    def to_json(self) -> str:
        """As JSON text with a version."""
        return json.dumps({"version": VERSION, **to_plain(self)}, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Measurements":
        """Read what `to_json` wrote.

        Raises:
            ValueError: not JSON, another version, or a field is missing, unknown or of another
                type.
        """
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"measurements are not valid JSON: {error}") from error
        if not isinstance(record, dict) or record.pop("version", None) != VERSION:
            raise ValueError(f"measurements are not of version {VERSION}: measure the run again")
        return from_plain(cls, record, "measurements")


@dataclass(frozen=True)
class Group:
    """The runs of one experiment."""

    experiment: str
    """Its key."""
    runs: tuple[Measurements, ...]
    """By ascending seed; may be empty."""

    def __iter__(self) -> Iterator[Measurements]:
        return iter(self.runs)

    def where(self, condition: Callable[[Measurements], bool]) -> "Group":
        """The runs that meet a condition."""
        return Group(self.experiment, tuple(filter(condition, self.runs)))


def _share(count: int, total: int) -> float:
    return count / total if total else math.nan
