#!/usr/bin/env bash
# Guess: setting module.output in a trace changes every call of that module, as a forward hook of
#   PyTorch does.
# What happens: only the first call in the forward pass is changed, and reading gives the first
#   call's output; the later calls go on as they were. Setting it twice sets the first call twice.
# Whom it hurts: whoever ablates in a small model of their own that uses one nn.ReLU, or one block
#   with tied weights, in several places. Half of the ablation is missing, and nothing is said.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 nnsight==0.8.1

cat >"$folder/twice.py" <<'PYTHON'
import torch
from nnsight import NNsight


class Twice(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.relu, self.read = torch.nn.ReLU(), torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.read(self.relu(self.relu(x) + 1))


torch.manual_seed(0)
model, x = Twice(), torch.randn(2, 4)
traced = NNsight(model)
zero = torch.zeros(2, 4)
first_only, both = model.read(zero + 1), model.read(zero)

with traced.trace(x):
    seen = traced.relu.output.save()
with traced.trace(x):
    traced.relu.output = zero
    once = traced.output.save()
with traced.trace(x):
    traced.relu.output = zero
    traced.relu.output = zero
    twice = traced.output.save()

hook = model.relu.register_forward_hook(lambda module, inputs, output: output * 0)
hooked = model(x)
hook.remove()

for name, found in (("nnsight", once), ("nnsight, set twice", twice), ("forward hook", hooked)):
    print(f"{name}: the first call only {found.equal(first_only)}, both calls {found.equal(both)}")
print("nnsight reads the first call:", seen.equal(torch.relu(x)))
assert once.equal(first_only)
assert twice.equal(first_only)
assert hooked.equal(both)
assert seen.equal(torch.relu(x))
PYTHON
python -W ignore "$folder/twice.py"
