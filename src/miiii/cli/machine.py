"""Set-up of JAX for the command line: quiet, and with compiled programs kept between runs."""

import os

from miiii.cli.arguments import UsageError
from miiii.experiment.compiled_programs import keep_programs


def prepare_jax() -> None:
    """Import and set up JAX; called once the command's arguments are checked."""
    # XLA's log lines would break the panel; its errors are still printed.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import jax

    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        wanted = os.environ.get("JAX_PLATFORMS", "")
        # For a known platform that cannot be loaded, JAX raises an AssertionError without text.
        reason = "".join(f" ({line})" for line in str(error).splitlines()[:1])
        raise UsageError(
            f"JAX finds no device for JAX_PLATFORMS={wanted!r}{reason}: unset it, or install "
            "JAX for that device (docs/how-to/gpu.md)"
        ) from error
    # Without JAX's frames in a traceback its errors look like this package's (`is_refusal`).
    jax.config.update("jax_traceback_filtering", "off")
    # With JAX_TRANSFER_GUARD set, JAX would refuse the transfers that commands make.
    jax.config.update("jax_transfer_guard", "allow")
    keep_programs()
