#!/usr/bin/env bash
# Guess: with cluster="local" there is no queue, and a job without timeout_min runs until it is done.
# What happens: without timeout_min a local job gets SIGUSR2 after 90 seconds (two minutes, less
#   signal_delay_s of 30 seconds) and ends with "timed-out and not checkpointable"; the function's
#   result is lost. With timeout_min=600 the same job finishes.
# Whom it hurts: whoever tries a training locally with a few epochs, in less than 90 seconds, and then
#   starts the real one.
# It takes 140 seconds.
source "$(dirname "$0")/common.bash"
packages submitit==1.5.4

cd "$folder"
python - <<'PYTHON'
import time

import submitit


def work(seconds):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        time.sleep(0.5)
    return "finished"


executor = submitit.AutoExecutor(folder="logs", cluster="local")
began = time.monotonic()
as_it_is = executor.submit(work, 130)
executor.update_parameters(timeout_min=600)
with_limit = executor.submit(work, 130)

error = as_it_is.exception()
ended = time.monotonic() - began
(said,) = [line for line in str(error).split("\n") if "timed-out and not checkpointable" in line]
print(f"no timeout_min: {type(error).__name__} after {ended:.0f} s: {said}")
assert 85 < ended < 125
print(f"timeout_min=600: {with_limit.result()} after {time.monotonic() - began:.0f} s")
PYTHON
