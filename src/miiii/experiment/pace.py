"""How many epochs one dispatch of compiled code makes, and when checkpoints are saved."""

CHUNK_SECONDS = 0.5
"""Longest time of compiled code before Python runs again (signals, progress, checkpoints)."""
SLOW_EPOCHS = 4
"""Epochs of one dispatch where epochs are slow, as many of them as fit into `SLOW_SECONDS`."""
SLOW_SECONDS = 2.0
# On a CPU XLA allocates a program's intermediate arrays at each call and frees them at its end. The
# C library maps blocks of that size again each time, so that the kernel clears 226 MB of pages for
# `reference` in float32: a fifth of an epoch's time, paid once per dispatch
# (glibc 2.36, jaxlib 0.10.2; `python -m benchmarks dispatch`).
FIRST_CHECKPOINT_SECONDS = 1.0
"""Seconds to the first checkpoint; each further interval is twice as long, up to the setting."""


class Pace:
    """Chooses the number of epochs of a dispatch from the time of the last one."""

    def __init__(self) -> None:
        self.epochs_per_second = 0.0
        self._next = 1

    def epochs(self, capacity: int) -> int:
        """Epochs of the next dispatch, at most `capacity`."""
        return max(1, min(self._next, capacity))

    def took(self, count: int, seconds: float) -> None:
        """Take in how long a dispatch took."""
        speed = count / max(seconds, 1e-9)
        # A moving mean, because the first dispatches are short and warm up caches.
        old = self.epochs_per_second or speed
        self.epochs_per_second = 0.7 * old + 0.3 * speed
        # At most doubled, so that one timing that was too short cannot block Python for long.
        fitting = max(speed * CHUNK_SECONDS, min(SLOW_EPOCHS, speed * SLOW_SECONDS))
        self._next = int(min(2 * count, max(1, fitting)))


class CheckpointClock:
    """When to save: soon after training has begun, then at longer and longer intervals.

    Args:
        now: seconds of a monotonic clock.
        longest: seconds between checkpoints once training has gone on for a while.
    """

    def __init__(self, now: float, longest: float) -> None:
        self._saved_at, self._longest = now, longest
        self._interval = min(FIRST_CHECKPOINT_SECONDS, longest)

    def is_due(self, now: float) -> bool:
        """Whether to save now."""
        return now - self._saved_at >= self._interval

    def saved(self, now: float) -> None:
        """Take in that everything is saved."""
        self._saved_at = now
        self._interval = min(2 * self._interval, self._longest)
