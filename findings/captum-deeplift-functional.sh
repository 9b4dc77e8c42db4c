#!/usr/bin/env bash
# Guess: captum's DeepLift works for a model that calls torch.relu as for one with a module nn.ReLU, or
#   refuses it: its contributions add up to the change of the output.
# What happens: it changes the gradient at modules only. With torch.relu in forward the contributions are
#   the input's change times the gradient, and do not add up to the output's change. No exception says so;
#   return_convergence_delta=True shows it.
# Whom it hurts: whoever attributes the logits of a transformer whose code calls torch.relu or another
#   function in place of a module.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 captum==0.9.0

python -W ignore - <<'PYTHON'
import torch
from captum.attr import DeepLift


class Mlp(torch.nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.first, self.second = torch.nn.Linear(4, 8), torch.nn.Linear(8, 3)
        self.activation = activation

    def forward(self, x):
        return self.second(self.activation(self.first(x)))


torch.manual_seed(0)
by_module = Mlp(torch.nn.ReLU())
by_function = Mlp(torch.relu)
by_function.load_state_dict(by_module.state_dict())
x, baseline = torch.randn(5, 4), torch.zeros(5, 4)
for name, model in (("nn.ReLU()", by_module), ("torch.relu", by_function)):
    given, delta = DeepLift(model).attribute(x, baseline, target=0, return_convergence_delta=True)
    change = (model(x) - model(baseline))[:, 0]
    error = (given.sum(dim=1) - change).abs().max().item()
    x.requires_grad_()
    gradient = torch.autograd.grad(model(x)[:, 0].sum(), x)[0]
    is_gradient = torch.allclose(given, (x - baseline) * gradient, atol=1e-6)
    x = x.detach()
    print(
        f"{name}: outputs change by up to {change.abs().max():.3f}, contributions add up to within "
        f"{error:.1e} of that; change times gradient: {is_gradient}"
    )
    assert abs(error - delta.abs().max().item()) < 1e-6
    assert (error > 0.01 and is_gradient) if name == "torch.relu" else (error < 1e-6 and not is_gradient)
PYTHON
