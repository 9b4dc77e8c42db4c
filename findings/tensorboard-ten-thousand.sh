#!/usr/bin/env bash
# Guess: TensorBoard's EventAccumulator reads back every point that was written, or the latest ones.
# What happens: of a curve of more than 10,000 points it keeps 10,000, drawn at random, each equally
#   likely, and the last. size_guidance={"scalars": 0} keeps all. (TensorBoard itself draws 1,000, as
#   the help of --samples_per_plugin says.)
# Whom it hurts: whoever takes numbers of long runs from event files: of 30,000 epochs the first one
#   above 0.99 is missed two times in three, and so is a spike of one epoch.
source "$(dirname "$0")/common.bash"
packages tensorboard==2.21.0 tensorboardX==2.6.5 setuptools==80.9.0

python -W ignore - "$folder" <<'PYTHON'
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import SummaryWriter

EPOCHS = 30_000
writer = SummaryWriter(sys.argv[1])
for epoch in range(EPOCHS):
    writer.add_scalar("loss", 1.0, epoch)
writer.close()


def read(**guidance):
    events = EventAccumulator(sys.argv[1], **guidance)
    events.Reload()
    return [event.step for event in events.Scalars("loss")]


steps, everything = read(), read(size_guidance={"scalars": 0})
print(f"{EPOCHS:,} points written; read by default: {len(steps):,}; with 0: {len(everything):,}")
print("the first five:", steps[:5], "the last two:", steps[-2:])
thirds = [sum(k * 10_000 <= step < (k + 1) * 10_000 for step in steps) for k in range(3)]
print("kept of each 10,000 epochs:", thirds)
assert len(steps) == 10_000 and steps[-1] == EPOCHS - 1
assert all(3_000 < kept < 3_700 for kept in thirds)
assert everything == list(range(EPOCHS))
PYTHON
