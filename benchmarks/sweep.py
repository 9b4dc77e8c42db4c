"""What handing out trials costs: many workers, an objective that costs nothing.

Each worker is a process that takes a trial, ends it with a value, and takes the next, until none
are left. Counted are trials that nobody ended and values that were set twice.
"""

import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from miiii.config.config import replace_fields
from miiii.config.presets import get_preset
from miiii.sweeps.search.definition import Definition
from miiii.sweeps.search.spaces import TABLE_1

WORKERS, TRIALS = 16, 1000


def toy(params: Mapping[str, Any]) -> float:
    return sum(float(value) for value in params.values())


def work(place: str, folder: str, ready, begin, done) -> None:
    from optuna.trial import TrialState

    from miiii.sweeps.queue.sweep import open_sweep

    queue = open_sweep("toy", Path(folder), place).queue(patience=120)
    ready.release()
    begin.wait()
    ended, before = [], time.process_time()
    while held := queue.claim():
        for each in held:
            if queue.end(each.id, TrialState.COMPLETE, [toy(each.params)]):
                ended.append(each.number)
    done.put((ended, time.process_time() - before))


def measure(place: str, workers: int, trials: int) -> str:
    from miiii.sweeps.queue.sweep import make_sweep

    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        base = replace_fields(get_preset("tiny"), epochs=1)
        definition = Definition("toy", base, TABLE_1, trials, "random")
        began = time.monotonic()
        sweep = make_sweep(definition, Path(folder), place)
        making = time.monotonic() - began
        ready, begin, done = context.Semaphore(0), context.Event(), context.Queue()
        processes = [
            context.Process(target=work, args=(place, folder, ready, begin, done))
            for _ in range(workers)
        ]
        for process in processes:
            process.start()
        for _ in processes:
            ready.acquire()
        began = time.monotonic()
        begin.set()
        results = [done.get() for _ in processes]
        wall = time.monotonic() - began
        for process in processes:
            process.join()
        ended = Counter(number for numbers, _ in results for number in numbers)
        complete = len(sweep.storage.get_all_trials(sweep.study_id, states=(TrialState.COMPLETE,)))
        sweep.storage.delete_study(sweep.study_id)
    lost, doubled = trials - len(ended), sum(count > 1 for count in ended.values())
    cpu = sum(seconds for _, seconds in results)
    kind = place.split(":")[0] or "journal file"
    return (
        f"{kind:12} {workers} workers, {trials:,} trials: {lost} lost, {doubled} doubled, "
        f"{complete:,} complete; {1000 * wall / trials:.1f} ms per trial "
        f"({1000 * cpu / trials:.1f} ms of processor), "
        f"{1000 * wall * workers / trials:.0f} ms between a worker's trials; "
        f"made at {1000 * making / trials:.1f} ms per trial"
    )


def report(rounds, places=("",)):
    """Measure once per storage; `rounds` is for what takes milliseconds."""
    del rounds
    print(f"{os.cpu_count()} cores")
    for place in places:
        print(measure(place, WORKERS, TRIALS), flush=True)
