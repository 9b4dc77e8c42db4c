"""TensorBoard's event files, in the run's own directory: `tensorboard --logdir runs`.

A run has one file. Whoever goes on with the run writes a new one: first the epochs that the old one
holds up to where the run goes on, then what follows, so that no epoch is in it twice. One event
holds all numbers of an epoch. tensorboardX writes the format (it has no reader), and crc32c makes
its checksums quick; TensorBoard itself is only needed to look.
"""

import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboardX.record_writer import RecordWriter, masked_crc32c

from miiii.runs.atomic import make_directory, remove_file
from miiii.tracking.protocol import TrackedRun

FOLDER = "tensorboard"
"""Of a run's directory."""
PATTERN = "events.out.tfevents.*.miiii"
"""Our own files; those of others stay."""
FLUSH_SECONDS = 5.0


class TensorBoard:
    """Writes a run's numbers where TensorBoard reads them."""

    def __init__(self) -> None:
        self._writer: RecordWriter | None = None
        self._flushed = 0.0

    def started(self, run: TrackedRun) -> int:
        """Begin a file with what there is already, up to where the run goes on."""
        folder = run.path / FOLDER
        make_directory(folder)
        old = sorted(folder.glob(PATTERN))
        kept = {event.step: event for path in old for event in read_events(path)}
        events = [kept[step] for step in sorted(kept) if 0 < step <= run.done]
        # TensorBoard reads files by name, and goes on to one that comes later.
        stamp = int(time.time())
        if old:
            stamp = max(stamp, int(old[-1].name.split(".")[3]) + 1)
        path = folder / PATTERN.replace("*", f"{stamp:010d}")
        first = Event(wall_time=time.time(), file_version="brain.Event:2")
        self._writer = RecordWriter(str(path))
        for event in (first, *events):
            self._writer.write(event.SerializeToString())
        self._writer.flush()  # to the disk, before the old files go
        for outdated in old:
            remove_file(outdated)
        return events[-1].step if events else 0

    def logged(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """Write an event."""
        assert self._writer is not None
        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        event = Event(wall_time=time.time(), step=epoch, summary=Summary(value=values))
        self._writer.write(event.SerializeToString())
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._writer.flush()
            self._flushed = time.monotonic()

    def ended(self, state: str) -> None:
        """Close the file."""
        del state
        if self._writer is not None:
            self._writer.close()


def read_events(path: Path) -> Iterator[Event]:
    """The events of a file, as far as they are whole: a killed process leaves half a one behind.

    Args:
        path: of the file.
    """
    data = path.read_bytes()
    place = 0
    while place + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        end = place + 12 + length + 4
        if end > len(data):
            return
        head, body = data[place : place + 8], data[place + 12 : end - 4]
        sums = struct.unpack_from("<I", data, place + 8) + struct.unpack_from("<I", data, end - 4)
        if sums != (masked_crc32c(head), masked_crc32c(body)):
            return
        yield Event.FromString(body)
        place = end
