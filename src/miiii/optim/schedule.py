"""The learning rate through training: warm-up, fall and restarts."""

from typing import Any

from miiii.optim.config import OptimConfig


def learning_rate_factor(config: OptimConfig, epoch: Any, arrays: Any) -> Any:
    """The learning rate at an epoch (1 is the first) as a share of its configured value.

    It rises linearly to 1 over `warmup_epochs`, stays at 1, and falls along a cosine from 1 to
    `decay_floor` over `decay_epochs` from `decay_start` on. Each of the `restarts` that follow
    falls along a cosine from `restart_height` to `decay_floor` over `restart_epochs` (Loshchilov
    and Hutter 2017, Eq. 5).

    Args:
        config: the optimiser's settings.
        epoch: a whole number, or an array of them.
        arrays: the module to compute with: `jax.numpy`, or `numpy` where JAX is not loaded.

    Returns:
        float32, of the epoch's shape.
    """
    epoch = arrays.asarray(epoch, arrays.float32)
    warmth = factor = arrays.ones_like(epoch)
    if config.warmup_epochs:
        warmth = arrays.minimum(epoch / config.warmup_epochs, 1.0)
    if config.decay_epochs:
        progress = arrays.clip((epoch - config.decay_start) / config.decay_epochs, 0.0, 1.0)
        factor = _fall(1.0, config.decay_floor, progress, arrays)
    if config.restarts:
        since = epoch - (config.decay_start + config.decay_epochs)
        position = (arrays.mod(since - 1, config.restart_epochs) + 1) / config.restart_epochs
        again = _fall(config.restart_height, config.decay_floor, position, arrays)
        within = (since > 0) & (since <= config.restarts * config.restart_epochs)
        factor = arrays.where(within, again, factor)
    return warmth * factor


def _fall(top: float, floor: float, progress: Any, arrays: Any) -> Any:
    """Half a cosine from the top (progress 0) to the floor (1)."""
    return floor + (top - floor) * (0.5 * (1 + arrays.cos(arrays.pi * progress)))
