"""Signals that stop training: it finishes the chunk, saves and ends. A second one ends it at once.

These are Ctrl-C (and a notebook's stop button), TERM, HUP (a terminal was closed), USR1 (a
cluster's warning) and XCPU (`ulimit -t`: the processor time is used up). A signal that is ignored
when training begins stays ignored: `nohup` and submitit's jobs rely on it.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType
from typing import Any

StopCheck = Callable[[], bool]
"""Called repeatedly while something runs; true means that it should stop."""

SAVED = 75
"""Exit code (BSD's EX_TEMPFAIL): all is saved, and the same command goes on."""
EXIT_CODES = {
    getattr(signal, name): code
    for name, code in (
        ("SIGINT", 130),
        *((name, SAVED) for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")),
    )
    if hasattr(signal, name)
}
"""Exit code after each signal that stops training; Windows does not have them all."""


class StopRequest:
    """The first signal that asked to stop; `notify` is called when it comes."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.notify: Callable[[], None] = lambda: None
        self._afterwards: dict[int, Any] = {}
        self._terminals: list[str] = []

    def __call__(self) -> bool:
        """True once a signal came."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 75 (`SAVED`) after another signal, 0 otherwise."""
        return EXIT_CODES.get(signal.Signals(self.signal), 1) if self.signal else 0

    def listening(self) -> AbstractContextManager[None]:
        """Handle the signals within the block, except those that are ignored."""
        # A second signal gets the system's default handler, which acts without Python.
        kept = [number for number in EXIT_CODES if signal.getsignal(number) != signal.SIG_IGN]
        return self._handling(dict.fromkeys(kept, signal.SIG_DFL))

    @contextmanager
    def _handling(self, afterwards: dict[int, Any]) -> Iterator[None]:
        """Handle signals within the block; the first one installs the given handlers for all."""
        self._afterwards = afterwards
        # Asked now, because a closed terminal can no longer be recognised.
        streams = ("stdout", "stderr")
        self._terminals = [name for name in streams if is_terminal(getattr(sys, name))]
        before = {number: signal.signal(number, self._handle) for number in afterwards}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number
        for each, handler in self._afterwards.items():
            signal.signal(each, handler)
        if number == getattr(signal, "SIGXCPU", None):
            # Linux sends it every second until the hard limit kills the process.
            signal.signal(number, signal.SIG_IGN)
        if number == getattr(signal, "SIGHUP", None):
            # The shell and the system both send it when a terminal closes; writing there fails.
            signal.signal(number, signal.SIG_IGN)
            for name in self._terminals:
                setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        # An error raised in a handler could come up anywhere, even between a chunk and its save.
        with suppress(OSError):
            self.notify()


@contextmanager
def saving_first(stop: StopCheck) -> Iterator[StopCheck]:
    """Delay signals that would end this process to the end of the block, and ask it to stop.

    For callers from Python. Nothing changes outside the main thread, nor for signals that have a
    handler already, such as the command line's.

    Args:
        stop: a further reason to stop.

    Yields:
        The check to use in place of `stop`.

    Raises:
        KeyboardInterrupt: after the block, if Ctrl-C or a notebook's stop button was pressed in it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    defaults = {signal.SIGINT: signal.default_int_handler}
    unhandled = {
        number: signal.getsignal(number)
        for number in EXIT_CODES
        if signal.getsignal(number) == defaults.get(number, signal.SIG_DFL)
    }
    request = StopRequest()
    with request._handling(unhandled):
        yield lambda: request() or stop()
    if request.signal is not None:
        # The default handler is back: it ends the process, or raises KeyboardInterrupt.
        signal.raise_signal(request.signal)


def ignore_stop_signals() -> None:
    """Ignore the signals that stop a run: the process that started this one handles them."""
    for number in EXIT_CODES:
        signal.signal(number, signal.SIG_IGN)


def is_terminal(stream: Any) -> bool:
    """Whether a stream is a terminal; a closed stream, or None, is not."""
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False
