#!/usr/bin/env bash
# Guess: GrokFastAdamW(lr=3e-4, weight_decay=1/3, grokfast_lamb=2) is AdamW with these numbers on
#   filtered gradients, so that grokfast_lamb=0 against 2 is what the paper on Grokfast compares.
# What happens: normalize_lr is on by default. It divides the rate by 1 + lambda: 1e-4, also in
#   param_groups. AdamW's step does not depend on the gradient's scale. So the first step with
#   lambda = 2 is, without the decay, a third of that with lambda = 0. In pytorch_optimizer the decay falls
#   to a third with the rate. In grokfast-pytorch the decay is not multiplied by the rate: the first step
#   takes a third of the weight, and with weight_decay=1 all of it. Both write the filtered gradient into
#   .grad: after the first step its norm is 1 + lambda times the true one.
# Whom it hurts: whoever compares epochs to generalisation with and without the filter, whoever takes
#   a weight decay from a paper on grokking (often 1), and whoever logs the norm after the step.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 pytorch_optimizer==4.1.0 grokfast-pytorch==0.0.11 numpy==2.4.6

python -W ignore - <<'PYTHON'
import grokfast_pytorch
import pytorch_optimizer
import torch


def one_step(optimiser, **settings):
    """The weight 1 after one step with the gradient 1; the rate in use; the gradient after it."""
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    settings = {"lr": 3e-4, "weight_decay": 1 / 3, **settings}
    made = optimiser([weight], betas=(0.9, 0.98), **settings)
    weight.grad = torch.ones_like(weight)
    made.step()
    return weight.item(), made.param_groups[0]["lr"], weight.grad.item()


def close(one, other):
    return abs(one - other) < 1e-9


plain, rate, _ = one_step(torch.optim.AdamW)
print(f"torch AdamW:                    1 -> {plain:.6f}  rate {rate:.0e}")
assert close(plain, 1 - 3e-4 / 3 - 3e-4)
for name, optimiser in (
    ("pytorch_optimizer", pytorch_optimizer.GrokFastAdamW),
    ("grokfast-pytorch", grokfast_pytorch.GrokFastAdamW),
):
    for strength in (0.0, 2.0):
        after, rate, gradient = one_step(optimiser, grokfast_lamb=strength)
        label = f"{name}, lambda {strength:g}:"
        print(f"{label:31} 1 -> {after:.6f}  rate {rate:.0e}  gradient after the step {gradient:g}")
        assert close(rate, 3e-4 / (1 + strength))
        assert close(gradient, 1 + strength)
        decay = rate / 3 if name == "pytorch_optimizer" else 1 / 3
        assert close(after, 1 - decay - rate)
    after, rate, _ = one_step(optimiser, grokfast_lamb=2.0, normalize_lr=False)
    print(f"{name}, lambda 2, normalize_lr=False: 1 -> {after:.6f}  rate {rate:.0e}")
    assert close(rate, 3e-4)
    assert close(after, plain if name == "pytorch_optimizer" else 2 / 3 - 3e-4)
after, _, _ = one_step(grokfast_pytorch.GrokFastAdamW, weight_decay=1.0)
print(f"grokfast-pytorch, weight_decay=1: 1 -> {after:.6f}")
assert close(after, -1e-4)
PYTHON
