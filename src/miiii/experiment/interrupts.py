"""Signals: finish the chunk, save, leave. A second one leaves at once.

Ctrl-C (and a notebook's stop button), TERM, HUP (a terminal that was closed), USR1 (a cluster's
warning) and XCPU (`ulimit -t`: the processor time is used up) are heard alike. A signal that is
ignored when training begins stays ignored: `nohup` and submitit's jobs rely on it.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

SAVED = 75
"""Exit code after a signal other than Ctrl-C: saved, run me again."""
EXIT_CODES = {
    getattr(signal, name): code
    for name, code in (
        ("SIGINT", 130),
        *((name, SAVED) for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")),
    )
    if hasattr(signal, name)
}
"""Of each signal that is heard; Windows does not have them all."""


class StopRequest:
    """Whether a signal asked to stop, and which; `notify` is called when the first one comes."""

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
        """130 after Ctrl-C, 75 after another signal (saved: run me again), 0 otherwise."""
        return EXIT_CODES.get(signal.Signals(self.signal), 1) if self.signal else 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals within the block, those apart that are ignored."""
        # A second signal meets the system's own handler: it needs no Python to act.
        heard = {each: signal.SIG_DFL for each in EXIT_CODES if not _is_ignored(each)}
        with self._handling(heard):
            yield

    @contextmanager
    def _handling(self, afterwards: dict[int, Any]) -> Iterator[None]:
        """Handle some signals within the block; the first one installs the handlers given."""
        self._afterwards = afterwards
        # Whether they are can no longer be asked once a terminal is gone.
        self._terminals = [name for name in ("stdout", "stderr") if _is_terminal(name)]
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
            # Linux sends it again every second, until the hard limit kills the process.
            signal.signal(number, signal.SIG_IGN)
        if number == getattr(signal, "SIGHUP", None):
            # A shell and the system both send it when a terminal closes, and writing there fails.
            signal.signal(number, signal.SIG_IGN)
            for name in self._terminals:
                setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        # Raised here it would come out anywhere, between a chunk and its saving.
        with suppress(OSError):
            self.notify()


@contextmanager
def saving_first(stop: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """Let signals that would end this process ask to stop, and take effect after the block.

    For callers from Python. Nothing happens outside the main thread, and to signals that somebody
    handles already, as the command line does.

    Args:
        stop: asked as well.

    Yields:
        What is to be asked in its place.

    Raises:
        KeyboardInterrupt: after the block, where Ctrl-C or a notebook's stop button was heard.
    """
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    unhandled = {signal.SIGINT: signal.default_int_handler}
    heard = {
        number: signal.getsignal(number)
        for number in EXIT_CODES
        if signal.getsignal(number) == unhandled.get(number, signal.SIG_DFL)
    }
    request = StopRequest()
    with request._handling(heard):
        yield lambda: request() or stop()
    if request.signal is not None:
        # With the handler that was there: it ends the process, or raises KeyboardInterrupt.
        signal.raise_signal(request.signal)


def ignore_stop_signals() -> None:
    """Ignore the signals that stop a run: the process that started this one handles them."""
    for number in EXIT_CODES:
        signal.signal(number, signal.SIG_IGN)


def _is_ignored(number: int) -> bool:
    return signal.getsignal(number) == signal.SIG_IGN


def _is_terminal(name: str) -> bool:
    stream = getattr(sys, name)
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False
