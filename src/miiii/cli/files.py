"""Pictures onto the disk, whole or not at all."""

import io
from pathlib import Path
from typing import Any

from miiii.esch.drawing import Drawing
from miiii.esch.style import Style, matplotlib_style
from miiii.runs.atomic import make_directory, write_atomically


def save_figure(figure: Any, path: Path, style: Style) -> Path:
    """Write a figure of matplotlib or a drawing of esch; the suffix says the format.

    Raises:
        StorageError: the disk refuses.
    """
    from matplotlib import rc_context

    make_directory(path.parent)
    if isinstance(figure, Drawing):
        return figure.save(path)
    buffer = io.BytesIO()
    # A fixed salt and no date: the same run draws the same file.
    parameters: Any = {**matplotlib_style(style), "svg.hashsalt": "miiii"}
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(path.suffix[1:])
    with rc_context(parameters):
        figure.savefig(buffer, format=path.suffix[1:], metadata=metadata)
    write_atomically(path, buffer.getvalue())
    return path
