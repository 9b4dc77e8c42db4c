#!/usr/bin/env bash
# Guess: TransformerBridge.boot_native(config) with dtype=torch.float64 in the config makes a model in
#   float64, or refuses.
# What happens: boot_native has a dtype of its own, float32 by default, and writes it over the config's.
#   The model computes in float32, and its config says float32. boot_native(config, dtype=torch.float64)
#   works.
# Whom it hurts: whoever studies late training in float64, where a loss below 1e-7 is still a number and
#   not a rounded 0 (Prieto et al. 2025, softmax collapse).
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 transformer-lens==4.3.0

python -W ignore - <<'PYTHON'
import torch
from transformer_lens import TransformerBridge, TransformerBridgeConfig


def config():
    return TransformerBridgeConfig(
        n_layers=1, d_model=16, n_heads=4, d_head=4, d_mlp=64, n_ctx=3, d_vocab=12, act_fn="relu",
        normalization_type=None, init_weights=True, seed=0, device="cpu", dtype=torch.float64,
    )


asked = config()
print("the config's dtype:", asked.dtype)
assert asked.dtype == torch.float64
model = TransformerBridge.boot_native(asked)
tokens = torch.tensor([[1, 2, 11]])
print("weights:", model.W_E.dtype, "logits:", model(tokens).dtype, "the model's config:", model.cfg.dtype)
assert model.W_E.dtype == model(tokens).dtype == model.cfg.dtype == torch.float32

named = TransformerBridge.boot_native(config(), dtype=torch.float64)
print("boot_native(config, dtype=torch.float64):", named(tokens).dtype)
assert named(tokens).dtype == torch.float64
PYTHON
