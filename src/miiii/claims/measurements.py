"""Everything that the ledger needs to know about one run: small numbers and short arrays.

Glossary: N task, S snapshot, H head, R random draw, W weight. A task's epoch is the first from
which its validation accuracy stays at or above `rules.GENERALISED_AT` to the end of the run; None
where it does not. What does not exist is None (a record) or NaN (a number). Dropout is off in every
measure but the training losses and accuracies, which are of the passes that trained.
"""

import json
import math
from dataclasses import dataclass

from miiii.claims.plain import from_plain, to_plain

VERSION = 6
"""Of the record below; another version is not read but measured again."""


@dataclass(frozen=True)
class Origin:
    """Which run it is: the settings that the claims compare."""

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
    """What it was trained on: cpu, gpu."""
    versions: dict[str, str]
    """Of the packages that the numbers come from."""
    filter: str = "ema"
    """Of the gradients: none, ema, ma, or one on chosen frequencies."""
    orthogonal_gradient: bool = False
    minibatches: int = 1
    """Updates per epoch."""
    restarts: int = 0
    """Of the learning rate."""
    normaliser: str = "softmax"
    label_smoothing: float = 0.0
    """Share, at the first epoch."""
    large_task_power: float = 0.0
    """Of the weights by size."""
    average_weights: float = 0.0
    """Decay of the average of the weights that is measured; 0: the weights themselves are."""
    task_reduction: str = "sum"
    """The loss over tasks: sum, mean or quadratic_mean."""
    stopped: bool = False
    """Whether its stopping rule ended it: every trained task held for as long as the rule asks."""

    @property
    def finished(self) -> bool:
        """Whether it was trained for as long as planned, or to the end by its stopping rule."""
        return self.stopped or self.epoch >= self.epochs

    @property
    def reach(self) -> int:
        """The last epoch at which it can be compared.

        A run that its stopping rule ended counts as lasting to the epochs that were planned.
        """
        return max(self.epoch, self.epochs) if self.stopped else self.epoch


@dataclass(frozen=True)
class Performance:
    """How well each task is done (C1 to C5, C16). Columns as in `Origin.moduli`."""

    held_from: tuple[int | None, ...]
    """[N]: each task's epoch, see above."""
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
    """Where that was."""
    late_validation_loss: float
    """Mean over the trained tasks, median over the last twentieth of the validations."""
    late_gain: float
    """Mean validation accuracy of the trained tasks over the last twentieth of the validations,
    less that of the twentieth that ends a tenth of the validations before the end."""


@dataclass(frozen=True)
class Neurons:
    """How periodic the last model's neurons are (C6 to C8)."""

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
    """How many single frequencies there are: ⌊p/2⌋."""
    epochs: tuple[int, ...]
    """[S], ascending."""
    counts: tuple[int, ...]
    """[S]: above μ + 2σ, the paper's rule."""
    calibrated: tuple[int, ...]
    """[S]: above everything that renamed digits reach."""
    null_counts: tuple[float, ...]
    """[S]: how many the paper's rule finds when digits are renamed, mean over renamings."""
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
    """What a random unit vector's share exceeds with probability 5 %."""
    count: int
    """Frequencies above μ + 2σ."""
    random_count: float
    """The same in random matrices of the same shape, mean."""
    calibrated: int
    """Frequencies above everything that renamed digits reach."""
    needed: int
    """Strongest frequencies that together hold 90 % of the power, the constant left out."""
    random_needed: tuple[int, ...]
    """[R]: the same in random matrices of the same shape."""
    available: int
    """How many frequencies there are: ⌊p/2⌋."""


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
    """When each weight's gradient comes to rest (C15)."""

    names: tuple[str, ...]
    """[W]."""
    settled: tuple[int | None, ...]
    """[W]: the epoch from which the norm stays below `rules.AT_REST` of its peak; None: never."""
    last_share: tuple[float, ...]
    """[W]: norm / peak at the last epoch."""
    window: int
    """Epochs of the running median that was taken first."""


@dataclass(frozen=True)
class Passing:
    """How many of some numbers pass "no predicted remainder is 0"."""

    small_primes: int
    """Primes below p: moduli themselves, so that right remainders make them fail."""
    small_primes_passing: int
    primes: int
    """Primes from p up: right remainders make them pass."""
    primes_passing: int
    composites: int
    """Right remainders make them fail."""
    composites_passing: int

    @property
    def precision(self) -> float:
        """Primes among the numbers that pass; NaN if none does."""
        prime = self.small_primes_passing + self.primes_passing
        return _share(prime, prime + self.composites_passing)

    @property
    def recall(self) -> float:
        """Primes that pass, of all."""
        return _share(
            self.small_primes_passing + self.primes_passing, self.small_primes + self.primes
        )

    @property
    def recall_from_base(self) -> float:
        """Primes from p up that pass, of those."""
        return _share(self.primes_passing, self.primes)


@dataclass(frozen=True)
class Primality:
    """The tasks together as a test of primality, on n > 1 (C19)."""

    everywhere: Passing
    """On all numbers."""
    held_out: Passing
    """On those that were not trained on."""


@dataclass(frozen=True)
class Multiples:
    """How well the multiples of each modulus are told from other numbers, outside training (B2).

    Where remainders are learnt, a number counts as a multiple if its predicted remainder is 0.
    """

    found: tuple[float, ...]
    """[N]: share of the multiples that are found; NaN where there is none."""
    spared: tuple[float, ...]
    """[N]: share of the other numbers that are not taken for multiples; NaN where there is none."""

    @property
    def balanced(self) -> tuple[float, ...]:
        """[N]: the mean of both, ½ for guessing."""
        return tuple(
            (found + spared) / 2 for found, spared in zip(self.found, self.spared, strict=True)
        )


@dataclass(frozen=True)
class Sharing:
    """Whether tasks share circuits, at snapshots after all of them generalised (C18).

    The index is the damage to other tasks when one task's circuit is removed, as a share of the
    damage to that task, both beyond what removing as much at random costs: 0 where circuits are
    separate, 1 where all share one, NaN where a circuit is worth no more than chance.
    """

    epochs: tuple[int, ...]
    """[S], ascending; the first is the first after generalisation."""
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
class Measurements:
    """One run, measured. What lies deeper than was asked for is None."""

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
    """None where it was not measured, or not every task generalised."""

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


def _share(count: int, total: int) -> float:
    return count / total if total else math.nan
