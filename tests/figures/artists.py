"""What a matplotlib figure shows: its lines by name, and where its texts lie on the page."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def lines(axes):
    """The lines of a panel by their label; helpers (with a leading underscore) are left out."""
    return {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}


def names(axes):
    """The texts at the right ends of lines, from above."""
    found = [text for text in axes.texts if text.get_text()]
    return [text.get_text() for text in sorted(found, key=lambda text: -text.get_position()[1])]


def boxes(figure):
    """(text, box in pixels) of everything written on the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    written = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    hidden = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not _shown(axis, tick, label)
    }
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in written
        if text not in hidden
    ]


def assert_readable(figure):
    """No text touches another, and none leaves the page."""
    found = boxes(figure)
    page = figure.bbox
    for text, box in found:
        assert box.x0 >= page.x0 - 1, text
        assert box.x1 <= page.x1 + 1, text
        assert box.y0 >= page.y0 - 1, text
        assert box.y1 <= page.y1 + 1, text
    for (one, first), (other, second) in combinations(found, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        down = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert min(across, down) < 0.6, (one, other)


def _shown(axis, tick, label):
    low, high = sorted(axis.get_view_interval())
    return label.get_visible() and low <= tick.get_loc() <= high
