"""Attention of each head from the last position (paper Figure 16)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from miiii import esch
from miiii.esch.style import LIGHT, Style

if TYPE_CHECKING:
    from miiii.analysis.parts.attention import AttentionPattern

POSITIONS = ("x0", "x1", "answer")
"""Names of the positions, in the model's order."""

_VECTORS = 15_000  # marks; about 0.4 MB
_HEIGHT = 420.0  # points; panels of one position need not fill a page


def attention(
    pattern: "AttentionPattern",
    positions: Sequence[str] = ("x0",),
    *,
    title: str = "",
    style: Style = LIGHT,
) -> esch.Drawing:
    """Paper Figure 16: attention from the answer to x0, head by head, on all p² numbers (C14).

    The labels have each head's mean attention and its entropy, from 0 (all on one position) to
    ln 3 = 1.10 nats (equal on all three). In a model without an answer token the attention is from
    x1's position to x0 and x1.

    Args:
        pattern: of the model.
        positions: of x0, x1 and, in a model with an answer token, answer; several are drawn side by
            side, a row per head.

    Raises:
        ValueError: there is no position, one is unknown or given twice.
    """
    chosen = list(positions)
    known = POSITIONS[: pattern.mean.shape[1]]
    if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(known):
        raise ValueError(
            f"positions are {chosen}: expected at least one of {', '.join(known)}, none twice"
        )
    source = "the answer" if "answer" in known else "x1"
    size = pattern.base
    ticks = sorted({0, size // 2, size - 1})
    common: dict[str, Any] = {
        "title": title,
        "x_label": "x0",
        "y_label": "x1",
        "x_ticks": ticks,
        "y_ticks": ticks,
        "vmax": 1.0,
        "vector_limit": _VECTORS,
        "style": style,
    }
    entropies = [f"entropy {entropy:.2f} nats" for entropy in pattern.entropy]
    if len(chosen) == 1:
        labels = [
            "\n".join(
                [
                    f"head {head}",
                    f"x0 {x0:.2f}, x1 {x1:.2f}",
                    *(f"answer {answer:.2f}" for answer in rest),
                    entropy,
                ]
            )
            for head, ((x0, x1, *rest), entropy) in enumerate(
                zip(pattern.mean, entropies, strict=True)
            )
        ]
        return esch.draw(
            "n h w",
            pattern.weights[:, POSITIONS.index(chosen[0])],
            panel_labels=labels,
            value_label=f"attention from {source} to {chosen[0]}",
            height=_HEIGHT,
            **common,
        )
    places = [POSITIONS.index(position) for position in chosen]
    return esch.draw(
        "r c h w",
        pattern.weights[:, places],
        row_labels=[f"head {head}\n{entropy}" for head, entropy in enumerate(entropies)],
        panel_labels=[
            f"{POSITIONS[place]} {mean[place]:.2f}" for mean in pattern.mean for place in places
        ],
        value_label=f"attention from {source}",
        **common,
    )
