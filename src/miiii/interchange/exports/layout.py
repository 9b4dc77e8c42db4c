"""The files of an exported folder, by name. Free of JAX: a taken place is refused before it."""

CONFIG, README = "config.json", "README.md"

BRIDGE, HOOKED = "transformer_bridge.safetensors", "hooked_transformer.safetensors"
TASKS, EXPECTED = "tasks.json", "expected_logits.safetensors"

TRANSFORMER_LENS_FILES = (CONFIG, README, BRIDGE, HOOKED, TASKS, EXPECTED)
"""What `--to transformer-lens` writes."""

WEIGHTS = "model.safetensors"

MODEL_FOLDER_FILES = (CONFIG, README, WEIGHTS)
"""What `--to hf-folder` writes."""
