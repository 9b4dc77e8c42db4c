"""Pictures of embeddings and attention: Figures 10 to 16 (paper §4.4, §4.5)."""

from collections.abc import Iterator

import numpy as np

from miiii.figures import attention as attention_figures
from miiii.figures import embeddings as embedding_figures
from miiii.figures import singular as singular_figures
from miiii.report.pictures.picture import Picture
from miiii.report.pictures.sources import TASK_NAMES, Look, Sources, origin
from miiii.results.paper import MissingInputError, Results


def positions(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 10."""
    runs = _compared(sources)
    yield Picture(
        "10",
        "figure-10-positional-embeddings",
        "Positional embeddings of the two digits",
        "One square per latent dimension, positive filled, negative outlined; dimensions in the "
        "order of x0's values. "
        + " ".join(
            f"{name}: Pearson r = {one.positional_embeddings.pearson:.2f}."
            for name, one in runs.items()
        )
        + " "
        + _origins(runs),
        embedding_figures.positional_embeddings(
            {name: one.positional_embeddings for name, one in runs.items()}, style=look.style
        ),
    )


def singular_values(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 11."""
    runs = _compared(sources)
    widths = {one.run.config.model.width for one in runs.values()}
    unequal = "The runs differ in width d, so the numbers are not comparable. "
    yield Picture(
        "11",
        "figure-11-singular-values",
        "Singular values of the token embedding",
        "Ticks where 50 % and 90 % of the variance is reached, which is σ², not σ. The answer "
        "token is left out. "
        + " ".join(
            f"{name}: {one.singular_spectrum.half} components for 50 %, "
            f"{one.singular_spectrum.nine_tenths} for 90 %."
            for name, one in runs.items()
        )
        + " "
        + (unequal if len(widths) > 1 else "")
        + _origins(runs),
        singular_figures.singular_values(
            {name: one.singular_spectrum for name, one in runs.items()}, style=look.style
        ),
    )


def attention(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 16."""
    main = sources.need("main")
    model = main.run.config.model
    depth = "The last block's heads. " if model.depth > 1 else ""
    source = "the answer" if model.answer_token else "the last digit"
    position = "the answer position" if model.answer_token else "x1's position"
    yield Picture(
        "16",
        "figure-16-attention",
        f"Attention from {source} to the first digit, per head",
        f"A square's area is the attention weight from {position} to x0, on the grid of "
        "the two digits. "
        + depth
        + "Above each head its mean attention to each digit and its entropy. "
        + origin(main, weights=True),
        attention_figures.attention(main.attention, style=look.style),
    )


def vectors(number: str, sources: Sources, look: Look) -> Iterator[Picture]:
    """Figures 12 (T_nanda) and 13 (the main run)."""
    results = sources.need("nanda") if number == "12" else sources.classifying()
    spectrum = results.singular_spectrum
    yield Picture(
        number,
        f"figure-{number}-singular-vectors",
        f"Leading singular vectors of the token embedding, {_task(results)}",
        "Left singular vectors of W_E over the digits, strongest first; each with its strongest "
        "frequency and that frequency's share of the vector's power. A vector of random direction "
        f"has {spectrum.random_share.mean():.3f} on average (95 % of them below "
        f"{np.quantile(spectrum.random_share, 0.95, method='lower'):.3f}). "
        + origin(results, weights=True),
        singular_figures.singular_vectors(spectrum, style=look.style),
    )


def spectrum(number: str, sources: Sources, look: Look) -> Iterator[Picture]:
    """Figures 14 (T_nanda) and 15 (the main run, beside a random matrix)."""
    random = number == "15"
    results = sources.classifying() if random else sources.need("nanda")
    spectrum = results.embedding_spectrum
    yield Picture(
        number,
        f"figure-{number}-embedding-spectrum",
        f"Fourier spectrum of the token embedding, {_task(results)}",
        "Transformed along the token axis only (the paper's was a 2D transform over tokens and "
        "latent dimensions); row norms below. "
        + ("Then a random matrix of the same shape, drawn as the weights were. " if random else "")
        + f"{spectrum.count} frequencies above μ + {spectrum.multiple:g}σ; random matrices have "
        f"{spectrum.random_counts.mean():.1f} on average. " + origin(results, weights=True),
        embedding_figures.embedding_spectrum(spectrum, random=random, style=look.style),
    )


def _compared(sources: Sources) -> dict[str, Results]:
    """By task: T_nanda's run if there is one, then the main run."""
    runs = [one for one in (sources.nanda, sources.main) if one is not None]
    if not runs:
        raise MissingInputError("needs a run: give RUN")
    return {_task(one): one for one in runs}


def _task(results: Results) -> str:
    task = results.run.config.task.task
    return TASK_NAMES.get(task, task)


def _origins(runs: dict[str, Results]) -> str:
    return " ".join(origin(one, weights=True) for one in runs.values())
