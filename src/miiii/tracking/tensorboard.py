"""TensorBoard's event files in the run's directory: `tensorboard --logdir runs`.

A run has one file. A process that resumes the run writes a new file: first the old file's epochs up
to the epoch that it resumes from, then the following ones, so that no epoch is in it twice. One
event holds all numbers of an epoch. tensorboardX writes the format (it has no reader), and crc32c
computes its checksums fast. TensorBoard itself is needed only to view the files.
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
"""Folder of the files, inside a run's directory."""
PATTERN = "events.out.tfevents.*.miiii"
"""Names of the files that this class writes and replaces; other event files stay."""
FLUSH_SECONDS = 5.0


class TensorBoard:
    """Writes a run's numbers where TensorBoard reads them."""

    def __init__(self) -> None:
        self._writer: RecordWriter | None = None
        self._flushed = 0.0

    def started(self, run: TrackedRun) -> int:
        """Begin a file with the events of the old files up to the epoch `run.done`."""
        folder = run.path / FOLDER
        make_directory(folder)
        old = sorted(folder.glob(PATTERN))
        kept = {event.step: event for path in old for event in read_events(path)}
        events = [kept[step] for step in sorted(kept) if 0 < step <= run.done]
        # TensorBoard reads files in the order of their names, so the new file's stamp is the last.
        stamp = int(time.time())
        if old:
            stamp = max(stamp, int(old[-1].name.split(".")[3]) + 1)
        path = folder / PATTERN.replace("*", f"{stamp:010d}")
        first = Event(wall_time=time.time(), file_version="brain.Event:2")
        self._writer = RecordWriter(str(path))
        for event in (first, *events):
            self._writer.write(event.SerializeToString())
        self._writer.flush()  # The events are on the disk before the old files are deleted.
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
    """The events of a file before the first damaged or half-written one.

    A killed process can leave half an event at the end.
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
