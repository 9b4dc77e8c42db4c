#!/usr/bin/env bash
# Guess: a bfloat16 array that numpy.save, numpy.savez or h5py takes comes back as bfloat16; a library
#   that cannot keep the type refuses the array.
# What happens: all three take it and give back raw bytes of the type V2, which astype does not convert
#   (float8: V1, and which float8 it was is lost). jnp.load reads bfloat16 from a .npy that NumPy wrote
#   and V2 from a .npz. Zarr refuses the array, and pickle keeps the type. The bytes are right:
#   array.view(ml_dtypes.bfloat16) gives the numbers.
# Whom it hurts: whoever saves activations or weights of a bfloat16 model beside float32 ones: saving and
#   loading give no error, and the first conversion fails.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" numpy==2.4.6 ml_dtypes==0.6.0 h5py==3.16.0 zarr==3.1.6

cd "$folder"
python - <<'PYTHON'
import pickle

import h5py
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import zarr

weights = np.array([1, 1.5, 2.25], ml_dtypes.bfloat16)
np.save("a.npy", weights)
np.savez("a.npz", weights=weights)
with h5py.File("a.h5", "w") as file:
    file["weights"] = weights
with h5py.File("a.h5") as file:
    from_hdf = file["weights"][:]
for name, read in (("numpy.save", np.load("a.npy")), ("numpy.savez", np.load("a.npz")["weights"]), ("h5py", from_hdf)):
    print(f"{name}: {read.dtype} {read}")
    assert read.dtype == "V2"
    try:
        read.astype(np.float32)
        raise SystemExit("astype converts it")
    except ValueError as error:
        print(f"{name}, astype(float32): ValueError: {error}")
    assert (read.view(ml_dtypes.bfloat16) == weights).all()

np.save("b.npy", weights.astype(ml_dtypes.float8_e4m3fn))
print("float8, numpy.save:", np.load("b.npy").dtype)
assert np.load("b.npy").dtype == "V1"
print("jnp.load of the .npy:", jnp.load("a.npy").dtype, "of the .npz:", jnp.load("a.npz")["weights"].dtype)
assert jnp.load("a.npy").dtype == jnp.bfloat16
assert jnp.load("a.npz")["weights"].dtype == "V2"
try:
    zarr.create_array("a.zarr", data=weights)
    raise SystemExit("zarr takes it")
except ValueError as error:
    print("zarr: ValueError:", error)
assert pickle.loads(pickle.dumps(weights)).dtype == ml_dtypes.bfloat16
PYTHON
