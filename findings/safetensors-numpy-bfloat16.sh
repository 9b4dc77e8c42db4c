#!/usr/bin/env bash
# Guess: a bfloat16 file either loads with safetensors.numpy or it does not.
# What happens: load_file fails ("data type 'bfloat16' not understood") until some module, such as
#   jax, has imported ml_dtypes; then the same call works. load, on the same bytes, fails with
#   KeyError: 'BF16' before and after, and save writes what load cannot read.
# Whom it hurts: whoever tests a loader in a process that has imported JAX and ships it in one that
#   has not, or takes load and load_file for one function.
source "$(dirname "$0")/common.bash"
packages numpy==2.4.6 safetensors==0.8.0 ml_dtypes==0.6.0

python - "$folder/x.safetensors" <<'PYTHON'
import json
import sys
from pathlib import Path

from safetensors.numpy import load, load_file, save_file

path = Path(sys.argv[1])
header = {"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
path.write_bytes(len(text).to_bytes(8, "little") + text + b"\x80\x3f\x00\x40")


def attempt(name, read):
    try:
        answer = str(read()["x"].astype(float).tolist())
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    print(f"{name}: {answer}")
    return answer


assert attempt("load_file", lambda: load_file(path)).startswith("TypeError")
assert attempt("load", lambda: load(path.read_bytes())).startswith("KeyError")
import ml_dtypes  # noqa: E402

assert attempt("load_file, ml_dtypes imported", lambda: load_file(path)) == "[1.0, 2.0]"
assert attempt("load, ml_dtypes imported", lambda: load(path.read_bytes())).startswith("KeyError")
array = load_file(path)["x"]
assert array.dtype == ml_dtypes.bfloat16
save_file({"x": array}, path)
assert attempt("load, of what save_file wrote", lambda: load(path.read_bytes())) == "KeyError: 'BF16'"
PYTHON
