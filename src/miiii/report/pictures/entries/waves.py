"""Pictures of the cosine model: Figures 20 to 23 (paper Appendix D)."""

from collections.abc import Iterator

from miiii.figures import waves as wave_figures
from miiii.figures.waves_check import waves_check
from miiii.report.pictures.picture import Picture
from miiii.report.pictures.sources import Look, Sources, origin
from miiii.results.paper import MissingInputError

_SIGNS = "Signs by colour, and by outlines where squares are large enough"
_WEIGHTS = f"{_SIGNS}; each matrix has its own scale, given with it. "


def embedding_weights(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 20, and the output of the model."""
    waves = sources.need("waves")
    model = waves.run.config.model
    if not model.answer_token or model.digit_tokens == "separate":
        raise MissingInputError(
            f"needs the paper's tokens: run {waves.run.name} has no answer token, or separate "
            "tokens for each digit"
        )
    yield Picture(
        "20",
        "figure-20-embeddings",
        "W_E,tok and W_E,pos of the cosine model",
        "Transposed: a row per dimension of the residual stream, a column per token. "
        f"{_SIGNS}; both matrices are on one scale. " + origin(waves, weights=True),
        wave_figures.embedding_weights(waves.model.weights, style=look.style),
    )
    fit = waves.waves_fit
    yield Picture(
        "20",
        "figure-20-fit",
        "Output of the cosine model",
        "The function cos(2π x0 / p) + sin(2π x1 / p), the model's output on every number, and "
        f"their difference. Mean squared error on the whole grid: {fit.mean_squared_error:.2e}; "
        f"largest error {fit.largest:.3f}. " + origin(waves, weights=True),
        waves_check(fit, style=look.style),
    )


def attention_weights(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 21."""
    waves = sources.need("waves")
    yield Picture(
        "21",
        "figure-21-attention-weights",
        "W_k, W_q, W_v and W_o of the cosine model, per head",
        "Columns are the residual stream's dimensions, rows those of each head. The paper "
        "leaves out W_o, which the model needs as well. " + _WEIGHTS + origin(waves, weights=True),
        wave_figures.attention_weights(waves.model.weights, style=look.style),
    )


def mlp_weights(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 22."""
    waves = sources.need("waves")
    biased = any(name.endswith("mlp_in_bias") for name in waves.model.weights)
    yield Picture(
        "22",
        "figure-22-mlp-weights",
        "W_in and W_out (transposed) of the cosine model",
        "A column per neuron, in the order of |w_in| · |w_out|, the same in both. "
        + ("The MLP's biases, b_in and b_out, are not drawn. " if biased else "")
        + _WEIGHTS
        + origin(waves, weights=True),
        wave_figures.mlp_weights(waves.model.weights, style=look.style),
    )


def unembedding_weights(sources: Sources, look: Look) -> Iterator[Picture]:
    """Figure 23."""
    waves = sources.need("waves")
    yield Picture(
        "23",
        "figure-23-unembedding",
        "W_U of the cosine model",
        "Transposed: its one row is the one real output. " + _WEIGHTS + origin(waves, weights=True),
        wave_figures.unembedding_weights(waves.model.weights, style=look.style),
    )
