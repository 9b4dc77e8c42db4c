"""Who does the jobs: worker processes with a core each, or this process with an accelerator."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import miiii
from miiii.runs.errors import RunError

Message = Mapping[str, Any]
Heard = Callable[[int, Message], None]
"""Takes what is told of a job: its number, and the message."""
Waiting = Callable[[], bool]

CLOSING_SECONDS = 60.0
"""How long a worker may take to save before it is ended by force."""

ONE_CORE = {
    # Read by XLA when it makes its pool of threads. How many threads there are changes in which
    # order it adds, so that runs made with one each are the same on any number of cores.
    "PJRT_NPROC": "1",
    "NPROC": "1",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


class Crew(Protocol):
    """What trains a study's jobs: processes with one core each, or this process."""

    @property
    def size(self) -> int:
        """How many jobs it does at once."""
        ...

    def work(
        self, jobs: Sequence[Message], heard: Heard, stop: Waiting, at_once: int | None = None
    ) -> None:
        """Do jobs (as `worker.do_job` describes them), and return when all have ended.

        Args:
            jobs: in the order in which they are begun.
            heard: called, always from the calling thread, with every message.
            stop: once true, jobs at work save and end, and the others are not begun.
            at_once: how many jobs; default: `size`.

        Raises:
            RunError: a job was refused or its process died; the others were told to save first.
        """
        ...

    def __enter__(self) -> "Crew": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Alone:
    """This process, job after job."""

    size = 1

    def work(
        self, jobs: Sequence[Message], heard: Heard, stop: Waiting, at_once: int | None = None
    ) -> None:
        """As in `Crew`."""
        from miiii.studies.worker import do_job

        del at_once
        for number, job in enumerate(jobs):
            if stop():
                return
            do_job(job, lambda message, number=number: heard(number, message), stop)

    def __enter__(self) -> "Alone":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is left to do."""


class Workers:
    """Processes that are started when there is work for them.

    Args:
        size: the most at once.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._processes: list[subprocess.Popen[str]] = []
        self._listeners: list[threading.Thread] = []
        self._messages: queue.SimpleQueue[tuple[int, Message | None]] = queue.SimpleQueue()

    def work(
        self, jobs: Sequence[Message], heard: Heard, stop: Waiting, at_once: int | None = None
    ) -> None:
        """As in `Crew`."""
        waiting = list(enumerate(jobs))
        busy: dict[int, int] = {}
        told, problem = False, ""
        while waiting or busy:
            if (problem or stop()) and not told:
                told = True
                waiting.clear()
                for worker in busy:
                    self._send(worker, {"kind": "stop"})
            for worker in range(at_once or self.size):
                if waiting and worker not in busy:
                    number, job = waiting.pop(0)
                    busy[worker] = number
                    self._send(worker, job)
            try:
                worker, message = self._messages.get(timeout=0.1)
            except queue.Empty:
                continue
            if message is None or message["event"] == "refused":
                number = busy.pop(worker, None)
                job = {} if number is None else jobs[number]
                problem = problem or self._problem(worker, message, job)
            elif message["event"] == "free":
                del busy[worker]
            else:
                heard(busy[worker], message)
        if problem:
            raise RunError(problem)

    def _problem(self, worker: int, message: Message | None, job: Message) -> str:
        if message is not None:
            return str(message["message"])
        code = self._processes[worker].wait()
        what = ", ".join(job.get("names", ()))
        return (
            f"a worker{f' ({what})' if what else ''} ended with code {code}: what was saved is "
            "intact, so call again to go on (with fewer workers if memory ran out)"
        )

    def _send(self, worker: int, message: Message) -> None:
        while worker >= len(self._processes):
            self._start()
        pipe = self._processes[worker].stdin
        assert pipe is not None
        # If it has died, its last message says so.
        with suppress(OSError):
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

    def _start(self) -> None:
        number = len(self._processes)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "miiii.studies.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=worker_environment(),
        )
        self._processes.append(process)

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                self._messages.put((number, json.loads(line)))
            self._messages.put((number, None))

        self._listeners.append(threading.Thread(target=listen, daemon=True))
        self._listeners[-1].start()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let them go; those at work save first."""
        for process in self._processes:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
        for process, listener in zip(self._processes, self._listeners, strict=True):
            try:
                process.wait(CLOSING_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            listener.join()
            assert process.stdout is not None
            process.stdout.close()


def worker_environment() -> dict[str, str]:
    """The environment of a worker: this one's, one core, and the same compiled programs."""
    import jax

    settings: Any = jax.config
    environment = {**os.environ, **ONE_CORE}
    # From wherever this package was imported, the worker imports the same.
    home = str(Path(miiii.__file__).parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(
        path for path in (home, os.environ.get("PYTHONPATH", "")) if path
    )
    cache = settings.jax_compilation_cache_dir
    if cache:
        environment["JAX_COMPILATION_CACHE_DIR"] = str(cache)
        environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = str(
            settings.jax_persistent_cache_min_compile_time_secs
        )
    return environment
