"""What a drawing shows, read back from its SVG: panels as matrices of relative values."""

import numpy as np

from esch.svg_reading import mark_paths, path_marks, texts

FULL = 0.9
"""Side of a full mark, in cells."""


def panels(drawing, shapes, *, side=False):
    """Matrices in reading order, one per panel, each of the shape its place in `shapes` says.

    Args:
        drawing: an esch drawing of vectors.
        shapes: [(rows, columns)] of all panels that hold marks, from above, then from the left.
        side: whether the marks' sides are the values, rather than their areas.

    Returns:
        Values in units of a full mark, negative where marks are outlines. What is not a panel of
        such a shape (the key) is left out.
    """
    kept = [marks for _, marks in _grouped(drawing)]
    assert len(kept) == len(shapes), (len(kept), len(shapes))
    matrices = []
    for marks, shape in zip(kept, shapes, strict=True):
        matrix = np.zeros(shape)
        for mark in marks:
            size = mark.side / (FULL * mark.pitch)
            matrix[mark.cell] = (size if side else size**2) * (1 if mark.filled else -1)
        matrices.append(matrix)
    return matrices


def corners(drawing):
    """The left and top edge of every panel that holds marks, in reading order, in points."""
    return [(left, top) for (top, left), _ in _grouped(drawing)]


def _grouped(drawing):
    found = {}
    for path in mark_paths(drawing.svg):
        for mark in path_marks(path):
            found.setdefault((mark.panel[1], mark.panel[0]), []).append(mark)
    # The key's marks stand alone in panels of one cell.
    return [
        (place, marks)
        for place, marks in sorted(found.items())
        if len(marks) > 1 or marks[0].cell != (0, 0)
    ]


def words(drawing):
    """All texts of a drawing, one line after the other."""
    return " ".join(texts(drawing.svg))
