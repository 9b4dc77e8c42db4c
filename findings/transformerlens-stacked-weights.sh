#!/usr/bin/env bash
# Guess: model.W_in is the model's weight, as model.W_E and model.W_U are, so that setting it to 0 in
#   place acts on the model.
# What happens: W_in, W_out, W_Q, W_K, W_V and W_O of a model are copies that stack its layers, also
#   where it has one layer: the change is lost, without an exception. Changes of W_E, W_pos and W_U act,
#   and so do those of a layer's weights, model.blocks[0].mlp.W_in.
# Whom it hurts: whoever ablates neurons or heads by their weights: the loss stays the same, and one
#   concludes that these neurons do not matter.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 transformer-lens==4.3.0

python -W ignore - <<'PYTHON'
import torch
from transformer_lens import TransformerBridge, TransformerBridgeConfig

tokens = torch.tensor([[1, 2, 11], [5, 0, 11]])


def made():
    config = TransformerBridgeConfig(
        n_layers=1, d_model=16, n_heads=4, d_head=4, d_mlp=64, n_ctx=3, d_vocab=12, act_fn="relu",
        normalization_type=None, init_weights=True, seed=0, device="cpu",
    )
    return TransformerBridge.boot_native(config).eval()


@torch.no_grad()
def moved(weight):
    """The largest change of a logit when the weight is set to 0 in place."""
    model = made()
    before = model(tokens)
    weight(model).zero_()
    return float((model(tokens) - before).abs().max())


for name in ("W_E", "W_pos", "W_U"):
    print(f"model.{name}.zero_(): logits move by {moved(lambda model: getattr(model, name)):.3f}")
    assert moved(lambda model: getattr(model, name)) > 0.1
for part, names in (("mlp", ("W_in", "W_out")), ("attn", ("W_Q", "W_K", "W_V", "W_O"))):
    for name in names:
        stacked = moved(lambda model: getattr(model, name))
        layer = moved(lambda model: getattr(getattr(model.blocks[0], part), name))
        print(f"model.{name}.zero_(): {stacked:.3f}; model.blocks[0].{part}.{name}.zero_(): {layer:.1e}")
        assert stacked == 0
        assert layer > 1e-4
PYTHON
