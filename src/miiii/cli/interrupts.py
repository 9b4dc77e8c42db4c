"""Ctrl-C and SIGTERM: finish the chunk, save, leave. A second one leaves at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 75}


class StopRequest:
    """Whether a signal asked to stop, and which; `notify` is called when the first one comes."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.notify: Callable[[], None] = lambda: None

    def __call__(self) -> bool:
        """True once a signal came."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 75 after SIGTERM (saved: run me again), 0 otherwise."""
        return EXIT_CODES.get(signal.Signals(self.signal), 1) if self.signal else 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle both signals within the block."""
        before = {number: signal.signal(number, self._handle) for number in EXIT_CODES}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number
        # From here on the system's own handler: it needs no Python to act.
        for each in EXIT_CODES:
            signal.signal(each, signal.SIG_DFL)
        self.notify()
