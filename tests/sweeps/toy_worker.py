"""Stands for a worker: it says what it does in a file, and does as it is told.

    python toy_worker.py LOG done|fail|stay

`stay` works until it gets SIGTERM, "saves", and exits with 75; if it was told to stay before and
left, it is done at once, as a worker is that finds nothing left to do.
"""

import os
import signal
import sys
import time
from pathlib import Path


def main() -> int:
    log, what = Path(sys.argv[1]), sys.argv[2]
    before = log.read_text() if log.exists() else ""

    def say(word: str) -> None:
        with log.open("a") as file:
            file.write(f"{word}\n")

    def leave(number, frame):
        say("told")
        time.sleep(0.3)  # a second signal would end it here
        say("saved")
        os._exit(75)

    signal.signal(signal.SIGTERM, leave)
    devices, cores = os.environ.get("CUDA_VISIBLE_DEVICES"), sorted(os.sched_getaffinity(0))
    say(f"begun in {os.getcwd()} with devices {devices} and cores {cores}")
    if what == "fail":
        print("error: the disk is full", file=sys.stderr, flush=True)
        return 1
    if what == "stay" and "saved" not in before:
        time.sleep(120)
    say("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
