"""How a model of T_nanda adds: the clock or the pizza (Zhong et al. 2023).

The clock multiplies what the two digits bring, so its logits depend on x0 + x1 alone and the
digits' roles differ inside. The pizza adds their embeddings first: its logits shrink with the
distance x0 − x1, and exchanging the digits changes nothing. Two numbers tell them apart:

- distance irrelevance: near 0 for the pizza, near 1 for the clock;
- gradient symmetricity: near 1 for the pizza, lower for the clock.

Both assume a symmetric task, so they are for addition alone.
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from miiii.analysis.checks import at_least, finite
from miiii.analysis.digit_split import share_of
from miiii.analysis.harmonics import FloatArray
from miiii.analysis.recording import record
from miiii.analysis.trigonometric import need_addition
from miiii.model.intervention import Intervention, intervene
from miiii.model.parameters import Parameters
from miiii.model.transformer import embeddings
from miiii.tasks.dataset import Dataset


@dataclass(frozen=True)
class ClockOrPizza:
    """The two numbers of one model."""

    distance_irrelevance: float
    """0 to about 1; NaN where the correct logit is the same for all inputs."""
    gradient_symmetricity: float
    """−1 to 1; NaN where no gradient was found."""
    symmetricity_error: float
    """Standard error of the mean over the triples."""
    triples: int
    """Drawn at random."""


def clock_or_pizza(
    parameters: Parameters, dataset: Dataset, *, triples: int = 1000, seed: int = 0
) -> ClockOrPizza:
    """Measure a model of T_nanda.

    Args:
        parameters: the weights.
        dataset: of x0 + x1 mod p.
        triples: random (x0, x1, c) over which gradients are compared.
        seed: of the triples.

    Raises:
        ValueError: the task is another, triples is below 2, or a logit is not finite.
    """
    need_addition(dataset)
    cosines = gradient_cosines(parameters, triples=triples, seed=seed)
    usable = cosines[~np.isnan(cosines)]
    error = usable.std(ddof=1) / np.sqrt(usable.size) if usable.size > 1 else np.nan
    return ClockOrPizza(
        distance_irrelevance=distance_irrelevance(record(parameters, "logits")["logits"]),
        gradient_symmetricity=float(usable.mean()) if usable.size else float("nan"),
        symmetricity_error=float(error),
        triples=triples,
    )


def distance_irrelevance(logits: ArrayLike) -> float:
    """Mean over d of the deviation of the correct logit over {x0 − x1 = d mod p} / its deviation.

    Args:
        logits: [p², p] of x0 + x1 mod p, in the canonical order.

    Returns:
        0 where the correct logit depends on the distance alone; NaN where it is constant.

    Raises:
        ValueError: the logits have another shape or are not finite.
    """
    array = finite("logits", logits)
    base = array.shape[-1]
    if array.shape != (base**2, base):
        raise ValueError(f"logits have shape {array.shape}: expected [p², p]")
    digit = np.arange(base)
    x1, x0 = np.meshgrid(digit, digit, indexing="ij")
    correct = array[(x0 + base * x1).ravel(), ((x0 + x1) % base).ravel()].reshape(base, base)
    # Row d, column x1: the input (x1 + d mod p, x1).
    by_distance = correct[digit[None, :], (digit[None, :] + digit[:, None]) % base]
    return float(share_of(by_distance.std(axis=1).mean(), correct.std()))


def gradient_cosines(parameters: Parameters, *, triples: int = 1000, seed: int = 0) -> FloatArray:
    """Cosine of the gradients of a logit with respect to the two digits' embeddings.

    The gradient of the logit of c with respect to what enters at x0, and at x1, token plus
    position. Float64.

    Args:
        parameters: of a model of T_nanda.
        triples: random (x0, x1, c), uniform and independent.
        seed: of the triples.

    Returns:
        [triples], −1 to 1; NaN where a gradient is zero.

    Raises:
        ValueError: triples is below 2.
    """
    at_least("triples", triples, 2)
    classes = parameters.unembedding.shape[1]
    generator = np.random.default_rng(seed)
    x0, x1 = generator.integers(0, parameters.base, (2, triples))
    classes_drawn = generator.integers(0, classes, triples)
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        wide = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf, np.float64)), parameters)
        tables = embeddings(wide)[0]
        entering = jnp.stack([tables[0, x0], tables[1, x1]])
        at_x0, at_x1 = (
            np.asarray(each)
            for each in _gradient(entering, wide, jnp.asarray(classes_drawn, jnp.int32))
        )
    norms = np.linalg.norm(at_x0, axis=1) * np.linalg.norm(at_x1, axis=1)
    return share_of((at_x0 * at_x1).sum(axis=1), norms)


@jax.jit
@partial(jax.grad, argnums=0)
def _gradient(entering, parameters: Parameters, classes):
    """[2, B, D]: every sample has tokens of its own, so that one pass gives all gradients."""
    samples = entering.shape[1]
    width = parameters.token_embedding.shape[1]
    tokens = (
        jnp.zeros((samples + 1, width), entering.dtype).at[-1].set(parameters.token_embedding[-1])
    )
    rows = jnp.arange(samples)
    own = Intervention("digit_embeddings", lambda _: entering)
    logits, _ = intervene(
        replace(parameters, token_embedding=tokens), jnp.stack([rows, rows], axis=1), own
    )
    return logits[rows, classes].sum()
