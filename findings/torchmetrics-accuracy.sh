#!/usr/bin/env bash
# Guess: torchmetrics' MulticlassAccuracy is the share of right answers, and the same as
#   Accuracy(task="multiclass").
# What happens: MulticlassAccuracy is by default the mean of the accuracies of the classes ("macro").
#   Accuracy(task="multiclass") is the share of right answers ("micro"). The functions differ in the same
#   way.
# Whom it hurts: whoever compares the accuracies of two programs on a task whose answers are not equally
#   frequent, as with x0 * x1 modulo p.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6

python - <<'PYTHON'
import torch
import torchmetrics
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.functional import accuracy
from torchmetrics.functional.classification import multiclass_accuracy

first, second = torch.meshgrid(torch.arange(7), torch.arange(7), indexing="ij")
answers = (first * second % 7).flatten()
given = torch.zeros_like(answers)  # A model that has learnt to say 0.
share = (given == answers).float().mean().item()
print(f"x0 * x1 modulo 7, the answer 0 everywhere: {share:.4f} of the answers are right")
for name, value, expected in (
    ('Accuracy(task="multiclass")', torchmetrics.Accuracy(task="multiclass", num_classes=7)(given, answers), share),
    ("MulticlassAccuracy", MulticlassAccuracy(7)(given, answers), 1 / 7),
    ('MulticlassAccuracy(average="micro")', MulticlassAccuracy(7, average="micro")(given, answers), share),
    ('functional accuracy(task="multiclass")', accuracy(given, answers, task="multiclass", num_classes=7), share),
    ("functional multiclass_accuracy", multiclass_accuracy(given, answers, num_classes=7), 1 / 7),
):
    print(f"{name}: {value.item():.4f}")
    assert abs(value.item() - expected) < 1e-6
assert abs(share - 13 / 49) < 1e-6
PYTHON
