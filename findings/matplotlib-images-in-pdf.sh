#!/usr/bin/env bash
# Guess: imshow of a 113 x 113 array puts an image of 113 x 113 pixels into a PDF or SVG file, and
#   interpolation="nearest" keeps every cell as it is.
# What happens: the file holds an image resampled to the page at the file's dots per inch (100 by
#   default). A grid of two colours comes out in 255 greys at 2 inches; with "nearest" at 1 inch, 13
#   rows and 13 columns are not in the file at all. Only interpolation="none" stores the array.
# Whom it hurts: whoever prints embeddings or attention as vector figures: fine stripes become moiré
#   or vanish, and a reader who zooms in sees other values. The documentation's "vector" holds for
#   "none" only.
source "$(dirname "$0")/common.bash"
packages numpy==2.4.6 matplotlib==3.11.2 pillow==13.0.0

MPLCONFIGDIR="$folder" python - <<'PYTHON'
import base64
import io
import re

import matplotlib.figure
import numpy as np
from PIL import Image

stripes = np.indices((113, 113)).sum(axis=0) % 2.0


def stored(inches, interpolation):
    """Size in the PDF, size in the SVG, and how many greys the SVG's image has."""
    figure = matplotlib.figure.Figure(figsize=(inches, inches))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(stripes, cmap="gray", interpolation=interpolation)
    files = {}
    for kind in ("pdf", "svg"):
        stream = io.BytesIO()
        figure.savefig(stream, format=kind)
        files[kind] = stream.getvalue()
    (header,) = re.findall(rb"<<([^>]*/Subtype /Image[^>]*)>>", files["pdf"])
    width = int(re.search(rb"/Width (\d+)", header)[1])
    (coded,) = re.findall(rb'base64,\s*([^"]+)"', files["svg"])
    image = Image.open(io.BytesIO(base64.b64decode(coded))).convert("L")
    return width, image.width, len(np.unique(np.asarray(image)))


for inches in (1, 2, 3):
    for interpolation in (None, "nearest", "none"):
        pdf, svg, greys = stored(inches, interpolation)
        print(f"{inches} in, {interpolation}: {pdf} pixels in PDF, {svg} in SVG, {greys} colours")
        if interpolation == "none":
            assert (pdf, svg, greys) == (113, 113, 2)
        else:
            assert pdf == svg == 100 * inches
            assert greys == 2 if interpolation else greys > 100
PYTHON
