#!/usr/bin/env bash
# Guess: a jitted step that is called again and again works in the memory that it had the last time,
#   so that on a CPU one step per call costs what a scan over steps costs, up to microseconds.
# What happens: the intermediate arrays of a call are one block that is allocated at the call and
#   freed at its end. glibc maps a block of over 32 MB anew each time, and the kernel clears every page
#   of it: 32,768 page faults per call for 128 MB, where a loop of four steps inside the call has a
#   quarter of that per step. The same block in huge pages takes 64 or so. The usual remedy, to keep
#   freed memory in the heap (mallopt, or MALLOC_* variables), ends the faults after some calls, and
#   makes the process one to six such blocks larger, since small allocations come to lie in the hole.
# Whom it hurts: whoever trains a small model with full batches on a CPU: 20 % of the time went there
#   for a transformer of one block (226 MB of intermediate arrays, half a second per step).
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}"
if ! getconf GNU_LIBC_VERSION; then
    echo "this is about glibc on Linux"
    exit 0
fi
unset GLIBC_TUNABLES MALLOC_ARENA_MAX MALLOC_MMAP_MAX_ MALLOC_TRIM_THRESHOLD_ MALLOC_TOP_PAD_

cd "$folder"
cat > calls.py <<'PYTHON'
import json
import resource
import sys

import jax
import jax.numpy as jnp

steps = int(sys.argv[1])


def step(x, _):
    # [32768, 1024] in float32, 128 MB between two products.
    return (x @ jnp.ones((4, 1024))) @ jnp.full((1024, 4), 1e-3), None


call = jax.jit(lambda x: jax.lax.scan(step, x, None, length=steps)[0])
x = jnp.ones((32768, 4))
call(x).block_until_ready()
faults = []
for _ in range(60):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    call(x).block_until_ready()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    faults.append((after - before) / steps)
usage = resource.getrusage(resource.RUSAGE_SELF)
json.dump([sorted(faults)[30], usage.ru_maxrss / 1024], sys.stdout)
PYTHON

python - <<'PYTHON'
import json
import os
import pathlib
import resource
import subprocess
import sys

pages = 32768 * 1024 * 4 / resource.getpagesize()


def calls(name, steps, **environment):
    done = subprocess.run(
        [sys.executable, "calls.py", str(steps)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    faults, megabytes = json.loads(done.stdout)
    print(f"{name}: {faults:,.0f} page faults per step (median of 60 calls), peak {megabytes:,.0f} MB")
    return faults, megabytes


one, peak = calls("one step per call", 1)
assert 0.9 * pages < one < 1.2 * pages
four, _ = calls("four steps per call", 4)
assert four < 0.3 * pages
kept, peak_kept = calls(
    "one step per call, freed memory stays in the heap",
    1,
    MALLOC_ARENA_MAX="1",
    MALLOC_MMAP_MAX_="0",
    MALLOC_TRIM_THRESHOLD_="2147483647",
)
assert kept < 0.01 * pages
assert peak_kept > 1.3 * peak
huge = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
if huge.exists() and "[never]" not in huge.read_text():
    few, _ = calls("one step per call, huge pages", 1, GLIBC_TUNABLES="glibc.malloc.hugetlb=1")
    assert few < 0.02 * pages
PYTHON
