"""Style and title of all figures of matplotlib."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast

from miiii.esch.style import LIGHT, Style, matplotlib_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def put_title(figure: "Figure", title: str) -> None:
    """A title above the figure, at the left; none where it is empty."""
    if title:
        figure.suptitle(title, x=0.01, ha="left", wrap=True)
