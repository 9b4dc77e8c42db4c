"""The algorithm of a model of T_nanda: the clock or the pizza (Zhong et al. 2023).

The clock multiplies waves of the two digits: its logits depend on x0 + x1 only, and the digits have
different roles. The pizza adds the digits' embeddings first: its logits depend on the distance
x0 − x1 too, and the digits have the same role. Three numbers describe them:

- distance irrelevance: near 0 for the pizza, near 1 for the clock. Two quantities have this name.
  The paper defines it on the correct logit; the values in its text (0.17 for its Model A, 0.85 for
  its Model B) follow this definition. The published tables and the phase diagrams have the same
  formula on the largest wrong logit. The two differ by up to 0.1.
- gradient symmetricity: near 1 for the pizza, lower for the clock. Published values are means over
  100 triples.
- circularity: near 1 where the first four principal components of the embedding are waves, as in
  both algorithms.

All of them are defined for addition only, a symmetric task.
"""

import random
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from miiii.analysis.checks import at_least, finite
from miiii.analysis.dynamics.trigonometric import need_addition
from miiii.analysis.harmonics.digit_split import share_of
from miiii.analysis.harmonics.task_harmonics import FloatArray
from miiii.analysis.recording import record
from miiii.model.intervention import Intervention, intervene
from miiii.model.parameters import Parameters
from miiii.model.transformer import embeddings
from miiii.streams import Stream, generator
from miiii.tasks.dataset import Dataset

PUBLISHED_TRIPLES = 100
"""Triples that a published gradient symmetricity is the mean of."""

_PUBLISHED_SEED = 42
_COMPONENTS = 4
_NORMAL_95 = 1.96  # standard deviations either side that hold 95 % of a normal distribution


@dataclass(frozen=True)
class ClockOrPizza:
    """The numbers of one model."""

    distance_irrelevance: float
    """0 to about 1, of the correct logit: the paper's definition. NaN where that logit is the same
    for all inputs."""
    wrong_distance_irrelevance: float
    """0 to about 1, of the largest wrong logit, as in the published tables and phase diagrams. NaN
    where that logit is the same for all inputs."""
    gradient_symmetricity: float
    """−1 to 1, mean over the triples; NaN where no gradient was found."""
    symmetricity_error: float
    """Standard error of that mean."""
    triples: int
    """The number of triples (x0, x1, c)."""
    published_triples: bool
    """Whether they are the published code's triples; otherwise they were drawn at random."""
    circularity: float
    """0 to 1; NaN where the embedding has fewer than four components."""

    @property
    def symmetricity_interval(self) -> tuple[float, float]:
        """The range of 95 % of means over 100 random triples, to compare published values with.

        It combines the standard error of this mean with that of a mean over 100 triples.
        """
        single = self.symmetricity_error * np.sqrt(self.triples)
        reach = _NORMAL_95 * np.hypot(single / np.sqrt(PUBLISHED_TRIPLES), self.symmetricity_error)
        return self.gradient_symmetricity - reach, self.gradient_symmetricity + reach

    def __str__(self) -> str:
        """The numbers, one a line, with the published definition of each."""
        low, high = self.symmetricity_interval
        drawn = "of the published code" if self.published_triples else "drawn at random"
        return "\n".join(
            (
                f"distance irrelevance, correct logit        {self.distance_irrelevance:.4f}  "
                "(as the paper defines it)",
                f"distance irrelevance, largest wrong logit  {self.wrong_distance_irrelevance:.4f}"
                "  (as the published tables hold it)",
                f"gradient symmetricity                      {self.gradient_symmetricity:.4f}  "
                f"({self.triples:,} triples {drawn}; 95 % of means over {PUBLISHED_TRIPLES}: "
                f"{low:.4f} to {high:.4f})",
                f"circularity                                {self.circularity:.4f}",
            )
        )


def clock_or_pizza(
    parameters: Parameters,
    dataset: Dataset,
    *,
    triples: int = 1000,
    seed: int = 0,
    published: bool = False,
) -> ClockOrPizza:
    """Measure a model of T_nanda.

    Args:
        parameters: the weights.
        dataset: of x0 + x1 mod p.
        triples: number of random (x0, x1, c) over which gradients are compared.
        seed: of the triples.
        published: whether to use the hundred triples of the published code instead, so that the
            value equals a published one in every digit.

    Raises:
        ValueError: the task is another, triples is below 2, or a logit is not finite.
    """
    need_addition(dataset)
    chosen = published_triples(parameters.base) if published else triples
    cosines = gradient_cosines(parameters, triples=chosen, seed=seed)
    usable = cosines[~np.isnan(cosines)]
    error = usable.std(ddof=1) / np.sqrt(usable.size) if usable.size > 1 else np.nan
    logits = record(parameters, "logits")["logits"]
    return ClockOrPizza(
        distance_irrelevance=distance_irrelevance(logits),
        wrong_distance_irrelevance=wrong_distance_irrelevance(logits),
        gradient_symmetricity=float(usable.mean()) if usable.size else float("nan"),
        symmetricity_error=float(error),
        triples=len(cosines),
        published_triples=published,
        circularity=circularity(parameters.token_embedding, parameters.base),
    )


def distance_irrelevance(logits: ArrayLike) -> float:
    """The spread of the correct logit at one distance, as a share of its spread over all inputs.

    The mean over d of the standard deviation over {x0 − x1 = d mod p}, divided by the standard
    deviation over all inputs (Zhong et al. 2023).

    Args:
        logits: [p², p] of x0 + x1 mod p, in the canonical order.

    Returns:
        0 where the correct logit depends on the distance only; NaN where it is constant.

    Raises:
        ValueError: the logits have another shape or are not finite.
    """
    array, sums = _addition_logits(logits)
    return _irrelevance(array[np.arange(len(array)), sums])


def wrong_distance_irrelevance(logits: ArrayLike) -> float:
    """`distance_irrelevance` of the largest wrong logit, as in the published tables.

    Args:
        logits: [p², p] of x0 + x1 mod p, in the canonical order.

    Raises:
        ValueError: the logits have another shape or are not finite.
    """
    array, sums = _addition_logits(logits)
    others = array.copy()
    others[np.arange(len(array)), sums] = -np.inf
    return _irrelevance(others.max(axis=1))


def circularity(embedding: ArrayLike, base: int | None = None) -> float:
    """The share of waves in the embedding's first four principal components.

    Mean over the components v, each a unit vector over the tokens, of the largest
    2 |Σ_t v_t e^{2πitk/p}|² / p over k, at most 1; t = 0 … p − 1. As in the published code, the
    components are over all tokens; a component's part on other tokens than the first p (the second
    digit's, the answer's) does not count.

    Args:
        embedding: [tokens, D], x0's digits first.
        base: p; default: all tokens.

    Returns:
        0 to 1; NaN where the embedding has fewer than four components.

    Raises:
        ValueError: the embedding is no finite matrix of at least p rows.
    """
    matrix = finite("embedding", embedding)
    size = len(matrix) if base is None else base
    if matrix.ndim != 2 or not 3 <= size <= len(matrix):
        raise ValueError(
            f"embedding has shape {matrix.shape}: expected [tokens, width] with at least "
            f"{max(size, 3)} tokens"
        )
    left, values, _ = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    if len(values) < _COMPONENTS or not values[_COMPONENTS - 1] > 1e-9 * values[0]:
        return float("nan")
    power = 2 * np.abs(np.fft.fft(left[:size, :_COMPONENTS], axis=0)) ** 2 / size
    return float(np.minimum(power.max(axis=0), 1).mean())


@lru_cache(maxsize=4)
def published_triples(base: int) -> NDArray[np.int64]:
    """The triples (x0, x1, c) of published gradient symmetricities.

    The first 100 of all p³ in the order x0, x1, c, shuffled by Python's `random.Random(42)` (a
    second of work at p = 113).

    Returns:
        [100, 3]; fewer where p³ is less. Read-only.
    """
    order = list(range(base**3))
    random.Random(_PUBLISHED_SEED).shuffle(order)
    chosen = np.array(order[:PUBLISHED_TRIPLES])
    triples = np.stack(np.unravel_index(chosen, (base,) * 3), axis=1).astype(np.int64)
    triples.flags.writeable = False
    return triples


def gradient_cosines(
    parameters: Parameters, *, triples: int | NDArray[np.integer] = 1000, seed: int = 0
) -> FloatArray:
    """Cosine of a logit's gradients with respect to the two digits' embeddings, in float64.

    Embeddings are token plus position; the logit is that of c.

    Args:
        parameters: of a model of T_nanda.
        triples: number of random (x0, x1, c), uniform and independent; or the triples, [T, 3].
        seed: of the random ones.

    Returns:
        [T], −1 to 1; NaN where a gradient is zero.

    Raises:
        ValueError: there are fewer than 2 triples, or one is outside.
    """
    limits = (parameters.base, parameters.base, parameters.unembedding.shape[1])
    x0, x1, classes = _chosen(triples, limits, seed).T
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        wide = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf, np.float64)), parameters)
        tables = embeddings(wide)[0]
        entering = jnp.stack([tables[0, x0], tables[1, x1]])
        at_x0, at_x1 = (
            np.asarray(each) for each in _gradient(entering, wide, jnp.asarray(classes, jnp.int32))
        )
    norms = np.linalg.norm(at_x0, axis=1) * np.linalg.norm(at_x1, axis=1)
    return share_of((at_x0 * at_x1).sum(axis=1), norms)


def _chosen(
    triples: int | NDArray[np.integer], limits: tuple[int, int, int], seed: int
) -> NDArray[np.int64]:
    """[T, 3]: the triples given, or drawn."""
    if not isinstance(triples, int | np.integer):
        chosen = np.asarray(triples)
        if chosen.ndim != 2 or chosen.shape[1] != 3 or len(chosen) < 2:
            raise ValueError(f"triples have shape {chosen.shape}: expected [T, 3], at least 2")
        if chosen.min() < 0 or (chosen >= limits).any():
            raise ValueError(f"triples have one outside: expected each from 0 and below {limits}")
        return chosen.astype(np.int64)
    count = at_least("triples", int(triples), 2)
    drawn = generator(Stream.GRADIENT_TRIPLES, seed)
    digits = drawn.integers(0, limits[0], (2, count))
    return np.stack([*digits, drawn.integers(0, limits[2], count)], axis=1)


def _addition_logits(logits: ArrayLike) -> tuple[FloatArray, NDArray[np.int64]]:
    """The logits, and x0 + x1 mod p of every row."""
    array = finite("logits", logits)
    base = array.shape[-1]
    if array.shape != (base**2, base):
        raise ValueError(f"logits have shape {array.shape}: expected [p², p]")
    numbers = np.arange(base**2)
    return array, (numbers % base + numbers // base) % base


def _irrelevance(values: FloatArray) -> float:
    """`distance_irrelevance` of any function of the numbers, [p²]."""
    base = round(len(values) ** 0.5)
    grid, digit = values.reshape(base, base), np.arange(base)
    # Row d, column x1: the input (x1 + d mod p, x1).
    by_distance = grid[digit[None, :], (digit[None, :] + digit[:, None]) % base]
    return float(share_of(by_distance.std(axis=1).mean(), values.std()))


@jax.jit
@partial(jax.grad, argnums=0)
def _gradient(entering, parameters: Parameters, classes):
    """[2, B, D]: the gradients of all samples from one pass, since no two share a token."""
    samples = entering.shape[1]
    tables = 2 if parameters.architecture.digit_tokens == "separate" else 1
    tokens = jnp.zeros((tables * samples, entering.shape[2]), entering.dtype)
    if parameters.has_answer_token:
        tokens = jnp.concatenate([tokens, parameters.token_embedding[-1:]])
    rows = jnp.arange(samples)
    own = Intervention("digit_embeddings", lambda _: entering)
    logits, _ = intervene(
        replace(parameters, token_embedding=tokens), jnp.stack([rows, rows], axis=1), own
    )
    return logits[rows, classes].sum()
