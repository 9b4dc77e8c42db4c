#!/usr/bin/env bash
# Guess: a PNG of 16 colours, which needs four bits a pixel, is no larger than the same pixels with a
#   palette of 17, which needs eight.
# What happens: Pillow compresses packed pixels with the zlib strategy for filtered photographs, and a
#   palette of eight bits with the default one. On a picture of many marks the smaller pixels make the
#   larger file; the default strategy makes a smaller one of the same rows. One unused colour more in
#   the palette mends it.
# Whom it hurts: whoever puts many small heat maps or dot maps as images into SVG or HTML pages.
source "$(dirname "$0")/common.bash"
packages pillow==13.0.0 numpy==2.4.6

python - <<'PYTHON'
import io
import struct
import zlib

import numpy as np
from PIL import Image

# 113 × 113 discs of five pixels, their areas drawn at random, in 16 shades of grey.
cells, pixels = 113, 5
radius = np.sqrt(np.random.default_rng(0).uniform(0, 1, (cells, cells)))
rows, columns = np.mgrid[-1 : 1 : pixels * 1j, -1 : 1 : pixels * 1j]
distance = np.hypot(rows, columns)
covered = np.clip((radius[:, None, :, None] - distance[None, :, None, :]) * pixels / 2 + 0.5, 0, 1)
shades = np.rint(15 * covered).astype(np.uint8).reshape(cells * pixels, cells * pixels)


def save(colours):
    image = Image.frombytes("P", shades.shape[::-1], shades.tobytes())
    image.putpalette(sum(([255 - 15 * shade] * 3 for shade in range(colours)), []))
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=9)
    return stream.getvalue()


def read(file):
    """Bits per pixel and how many rows have each of PNG's five filters."""
    width, height, bits = struct.unpack(">IIB", file[16:25])
    data, place = b"", 8
    while place < len(file):
        size, kind = struct.unpack(">I4s", file[place : place + 8])
        if kind == b"IDAT":
            data += file[place + 8 : place + 8 + size]
        place += 12 + size
    stride = 1 + (width * bits + 7) // 8
    lines = zlib.decompress(data)
    return bits, np.bincount([lines[row * stride] for row in range(height)], minlength=5).tolist()


found = {}
for colours in (16, 17):
    file = save(colours)
    assert (np.asarray(Image.open(io.BytesIO(file))) == shades).all()
    bits, filters = read(file)
    found[colours] = len(file), bits, filters
    print(f"{colours} colours: {bits} bits a pixel, {len(file):,} bytes, rows by filter {filters}")
(small, four, filtered), (large, eight, plain) = found[16], found[17]
print(f"16 colours take {small / large:.2f} times the bytes of 17")
assert (four, eight) == (4, 8)
assert sum(filtered[1:]) > 0 and sum(plain[1:]) == 0
assert small > 1.1 * large
packed = shades[:, ::2] << 4 | np.pad(shades, ((0, 0), (0, 1)))[:, 1::2]
rows = b"".join(b"\0" + row.tobytes() for row in packed)
sizes = {}
for name, strategy in (("default", zlib.Z_DEFAULT_STRATEGY), ("filtered", zlib.Z_FILTERED)):
    made = zlib.compressobj(9, zlib.DEFLATED, 15, 9, strategy)
    sizes[name] = len(made.compress(rows) + made.flush())
    print(f"the rows of four bits by zlib, strategy {name}: {sizes[name]:,} bytes")
assert sizes["default"] < large
assert sizes["filtered"] > 1.1 * large
PYTHON
