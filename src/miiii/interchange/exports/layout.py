"""Names of the files in an exported folder, without JAX: folders are checked before it loads."""

CONFIG, README = "config.json", "README.md"

BRIDGE, HOOKED = "transformer_bridge.safetensors", "hooked_transformer.safetensors"
TASKS, EXPECTED = "tasks.json", "expected_logits.safetensors"

TRANSFORMER_LENS_FILES = (CONFIG, README, BRIDGE, HOOKED, TASKS, EXPECTED)
"""Files that `--to transformer-lens` writes."""

WEIGHTS = "model.safetensors"

MODEL_FOLDER_FILES = (CONFIG, README, WEIGHTS)
"""Files that `--to hf-folder` writes."""


def epoch_name(epoch: int) -> str:
    """The name of an epoch's folder, if all snapshots are exported."""
    return f"epoch-{epoch:09d}"
