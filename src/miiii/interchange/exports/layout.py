"""The files of an exported folder, by name. Free of JAX: a taken place is refused before it."""

CONFIG, README = "config.json", "README.md"

BRIDGE, HOOKED = "transformer_bridge.safetensors", "hooked_transformer.safetensors"
TASKS, EXPECTED = "tasks.json", "expected_logits.safetensors"

TRANSFORMER_LENS_FILES = (CONFIG, README, BRIDGE, HOOKED, TASKS, EXPECTED)
"""What `--to transformer-lens` writes."""

SNAPSHOT = "epoch-{:09d}"
"""The folder of an epoch, where all snapshots are written."""

WEIGHTS = "model.safetensors"

MODEL_FOLDER_FILES = (CONFIG, README, WEIGHTS)
"""What `--to hf-folder` writes."""


def epoch_name(epoch: int) -> str:
    """What the folder of an epoch is called."""
    return SNAPSHOT.format(epoch)
