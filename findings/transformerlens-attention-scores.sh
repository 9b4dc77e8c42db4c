#!/usr/bin/env bash
# Guess: blocks.i.attn.hook_attn_scores holds the scores before the softmax, masked entries at minus
#   infinity, and what a hook returns there goes through the softmax, as in versions 1 and 2.
# What happens: in version 4's native model it holds the pattern, after the softmax, and comes after
#   the heads' output has been made: a hook there changes nothing, and nothing is said. The hook on
#   the pattern does work.
# Whom it hurts: whoever knocks attention out by setting scores to minus infinity, or reads their
#   size. The ablation "has no effect" on any model.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 transformer-lens==4.3.0

python -W ignore - <<'PYTHON'
import torch
from transformer_lens import TransformerBridge, TransformerBridgeConfig

config = TransformerBridgeConfig(
    n_layers=1, d_model=16, n_heads=4, d_head=4, d_mlp=64, n_ctx=3, d_vocab=12, act_fn="relu",
    normalization_type=None, init_weights=True, seed=0, device="cpu",
)
model = TransformerBridge.boot_native(config).eval()
tokens = torch.tensor([[1, 2, 11]])
logits, cache = model.run_with_cache(tokens)
scores = cache["blocks.0.attn.hook_attn_scores"]
pattern = cache["blocks.0.attn.hook_pattern"]
print("scores of head 0:", scores[0, 0].tolist())
print("rows add up to", scores[0, 0].sum(-1).tolist(), "equal to the pattern:", scores.equal(pattern))
assert scores.equal(pattern)
assert torch.isfinite(scores).all()


def seen_by(name, change):
    calls = []

    def hook(value, hook):
        calls.append(name)
        return change(value)

    after = model.run_with_hooks(tokens, fwd_hooks=[(name, hook)])
    print(f"{name}: called {len(calls)} time(s), logits changed: {not after.equal(logits)}")
    assert calls
    return not after.equal(logits)


assert not seen_by("blocks.0.attn.hook_attn_scores", lambda scores: scores.fill_(0).clone())
assert not seen_by("blocks.0.attn.hook_attn_scores", lambda scores: scores - 1e9)
assert seen_by("blocks.0.attn.hook_pattern", lambda pattern: torch.zeros_like(pattern))
PYTHON
