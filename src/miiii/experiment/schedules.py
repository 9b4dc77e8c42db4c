"""Schedules that depend on absolute epochs, and may be over when a run is made longer."""

import numpy as np

from miiii.config.config import Config
from miiii.optim.schedule import learning_rate_factor


def rate_factor(config: Config, epoch: int) -> float:
    """The learning rate of an epoch (1 is the first) as a share of its configured value."""
    return float(learning_rate_factor(config.optim, max(epoch, 1), np))


def rate_text(config: Config, epoch: int) -> str:
    """The learning rate of an epoch: `3e-05, 1 % of learning_rate`."""
    factor = rate_factor(config, epoch)
    share = "" if factor == 1 else f", {100 * factor:.3g} % of learning_rate"
    return f"{config.optim.learning_rate * factor:.3g}{share}"


def schedule_end(config: Config) -> int:
    """The last epoch at which the learning rate changes; 0 where it never does."""
    optim, end = config.optim, config.optim.warmup_epochs
    if optim.decay_epochs:
        end = max(end, optim.decay_start + optim.decay_epochs)
        end += optim.restarts * optim.restart_epochs
    return end


def longer_notes(config: Config, done: int, epochs: int) -> list[str]:
    """Notes on learning rate and label smoothing of a run that goes on from `done` to `epochs`."""
    notes = []
    first, last = rate_factor(config, done + 1), rate_factor(config, epochs)
    more = "a new run, or a branch (miiii train --from), with another decay or --restarts has more"
    if schedule_end(config) <= done and first < 1:
        how = "last restart" if config.optim.restarts else "decay"
        notes.append(
            f"trains at {rate_text(config, done + 1)}: the {how} ended at epoch "
            f"{schedule_end(config):,}; {more}"
        )
    elif min(first, last) < 1:
        notes.append(
            f"goes on with its learning rate from {rate_text(config, done + 1)} to "
            f"{rate_text(config, epochs)} at epoch {epochs:,}, as configured"
            + (f"; {more}" if last < 1 else "")
        )
    smoothed = config.training.label_smoothing_epochs
    if config.training.label_smoothing and 0 < smoothed <= done:
        notes.append(f"trains without label smoothing: it fell to 0 by epoch {smoothed:,}")
    return notes
