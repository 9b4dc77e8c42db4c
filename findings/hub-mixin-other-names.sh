#!/usr/bin/env bash
# Guess: from_pretrained of huggingface_hub's mixin for PyTorch fails, or warns, where the file's
#   weights do not fit the model.
# What happens: weights of other names are left out, and the model comes back as it was drawn, in
#   eval mode, without a warning: strict is False by default. Weights in float64 are rounded to the
#   model's float32 in silence too. strict=True raises the error.
# Whom it hurts: whoever renames a layer after publishing. The model loads, and stands at chance, or,
#   where only the embedding was renamed, somewhere between.
source "$(dirname "$0")/common.bash"
packages torch==2.13.0 huggingface_hub==2.4.0 safetensors==0.8.0 numpy==2.4.6

python - "$folder" <<'PYTHON'
import sys
import warnings

import torch
from huggingface_hub import PyTorchModelHubMixin

warnings.simplefilter("error")


class Before(torch.nn.Module, PyTorchModelHubMixin):
    def __init__(self, base=11):
        super().__init__()
        self.embed = torch.nn.Embedding(base, 4)


class After(torch.nn.Module, PyTorchModelHubMixin):
    def __init__(self, base=11):
        super().__init__()
        self.embedding = torch.nn.Embedding(base, 4)


torch.manual_seed(0)
published = Before(base=11)
published.save_pretrained(f"{sys.argv[1]}/model")
loaded = After.from_pretrained(f"{sys.argv[1]}/model")
again = After.from_pretrained(f"{sys.argv[1]}/model")
kept = loaded.embedding.weight.equal(published.embed.weight)
print("another name: loaded, weights of the file:", kept, "training:", loaded.training)
print("loaded twice, the same weights:", loaded.embedding.weight.equal(again.embedding.weight))
assert not kept
assert not loaded.training
assert not loaded.embedding.weight.equal(again.embedding.weight)
try:
    After.from_pretrained(f"{sys.argv[1]}/model", strict=True)
    raise SystemExit("strict=True took it")
except RuntimeError as error:
    print("strict=True:", str(error).splitlines()[0])

published.double().save_pretrained(f"{sys.argv[1]}/wide")
narrow = Before.from_pretrained(f"{sys.argv[1]}/wide")
print("saved as", published.embed.weight.dtype, "loaded as", narrow.embed.weight.dtype)
assert narrow.embed.weight.dtype == torch.float32
PYTHON
