"""Style and title of all figures of matplotlib."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from miiii.esch.style import LIGHT, Style, matplotlib_style
from miiii.esch.text import text_height, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EDGE = 6.0
"""Margin of pages, points."""

Asked = ParamSpec("Asked")
Drawn = TypeVar("Drawn")


def styled(draw: Callable[Asked, Drawn]) -> Callable[Asked, Drawn]:
    """Run a drawing function in the style of its argument `style`; default: light."""

    @wraps(draw)
    def within_style(*args: Asked.args, **options: Asked.kwargs) -> Drawn:
        from matplotlib import rc_context

        style = cast(Style, options.get("style", LIGHT))
        with rc_context(matplotlib_style(style)):
            return draw(*args, **options)

    return within_style


def new_figure(width: float, height: float, **options: Any) -> "Figure":
    """An empty figure of matplotlib, size in inches; the other options are those of `Figure`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), **options)


def new_page(title: str, width: float, height: float, style: Style) -> "tuple[Figure, float]":
    """A figure for axes at fixed places, with its title at the top.

    Args:
        title: wrapped to the width; may be empty.
        width: points.
        height: of the room below the title, points.
        style: size of the title.

    Returns:
        The figure, and the height of the room of the title, points.
    """
    lines = wrap(title, style.title_size, width - 2 * EDGE)
    head = text_height(len(lines), style.title_size) + EDGE
    total = head + height
    figure = new_figure(width / 72, total / 72)
    figure.set_layout_engine("none")
    if lines:
        figure.text(
            EDGE / width,
            1 - EDGE / 2 / total,
            "\n".join(lines),
            size=style.title_size,
            va="top",
            parse_math=False,
        )
    return figure, head


def put_title(figure: "Figure", title: str) -> None:
    """A title above the figure, at the left; none where it is empty."""
    if title:
        figure.suptitle(title, x=0.01, ha="left", wrap=True)
