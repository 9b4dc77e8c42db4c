#!/usr/bin/env bash
# Guess: safetensors.numpy saves the array it is given, whatever its memory layout, or refuses it as
#   safetensors.torch does.
# What happens: a transposed or column-major array is saved as its memory lies: the right shape, the
#   right dtype, other numbers, and no word. PyTorch's and NumPy's own writers are both right.
# Whom it hurts: whoever saves weights.T, or what moveaxis gave. The file loads everywhere and holds
#   another model. Copy with order="C" first; numpy.ascontiguousarray does it too, but makes a 0-d
#   array 1-d.
source "$(dirname "$0")/common.bash"
packages numpy==2.4.6 safetensors==0.8.0

python - "$folder/x.safetensors" <<'PYTHON'
import sys

import numpy as np
from safetensors.numpy import load, load_file, save, save_file

path = sys.argv[1]
matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
for name, array, right in (
    ("as made", matrix, True),
    ("transposed", matrix.T, False),
    ("column-major", np.asfortranarray(matrix), False),
    ("transposed, copied", matrix.T.copy(order="C"), True),
):
    save_file({"x": array}, path)
    found = load_file(path)["x"]
    print(f"{name}: wanted {array.tolist()}, stored {found.tolist()}")
    assert found.shape == array.shape
    assert np.array_equal(found, array) is right
    assert np.array_equal(load(save({"x": array}))["x"], found)
PYTHON
