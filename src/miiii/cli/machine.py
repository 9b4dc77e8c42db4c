"""JAX as the command line wants it: quiet, and with compiled programs kept between runs."""

import os

from miiii.cli.arguments import UsageError
from miiii.experiment.compiled_programs import keep_programs


def prepare_jax() -> None:
    """Import JAX once the command is known to be good, and keep what it compiles."""
    # XLA's own log lines would break the panel; errors still come through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import jax

    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        wanted = os.environ.get("JAX_PLATFORMS", "")
        # A platform that JAX knows and cannot load is an assertion without a text.
        reason = "".join(f" ({line})" for line in str(error).splitlines()[:1])
        raise UsageError(
            f"JAX finds no device for JAX_PLATFORMS={wanted!r}{reason}: unset it, or install "
            "JAX for that device (docs/how-to/gpu.md)"
        ) from error
    # A traceback without JAX's frames would pass its errors off as ours (`refusals.is_refusal`).
    jax.config.update("jax_traceback_filtering", "off")
    # The command line knows what it sends to a device; JAX_TRANSFER_GUARD would only stop it.
    jax.config.update("jax_transfer_guard", "allow")
    keep_programs()
