"""The training step in PyTorch as it is usually written; a process of its own, asked line by line.

    python peers_torch.py ARRAYS.npz

All positions go through all layers, unembedding included; each task's logits are padded to the
largest modulus; gradients are autograd's; the gradient filter (Grokfast, Lee et al. 2024) and
AdamW go over the parameters. The mathematics is that of `miiii.training.step`. Needs PyTorch and
NumPy only.

It reads one request a line on stdin and answers with a line of JSON on stdout: `losses E` (every
task's training loss of E epochs, from the stored weights on) or `seconds E` (of E epochs more).
"""
# pyright: reportMissingImports=false

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Transformer(nn.Module):
    """Blocks of causal attention and an MLP, without layer norm and biases; logits [B, T, V]."""

    def __init__(self, weights, rate, shared_mask):
        super().__init__()
        self.weights = nn.ParameterDict(
            {name.replace(".", "_"): nn.Parameter(torch.tensor(w)) for name, w in weights.items()}
        )
        self.depth = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
        self.rate, self.shared_mask = rate, shared_mask

    def drop(self, stream):
        """Dropout, one mask for all numbers where that is the setting."""
        if not self.shared_mask:
            return functional.dropout(stream, self.rate)
        return stream * functional.dropout(torch.ones_like(stream[:1]), self.rate)

    def forward(self, tokens):
        """Logits at every position: [B, T, V]."""
        weights = self.weights
        stream = weights["token_embedding"][tokens] + weights["position_embedding"]
        length = tokens.shape[1]
        visible = torch.tril(torch.ones(length, length, dtype=torch.bool))
        for index in range(self.depth):
            block = f"blocks_{index}_"
            query, key, value = (
                torch.einsum("btd,hdk->bhtk", stream, weights[block + name])
                for name in ("query", "key", "value")
            )
            scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
            pattern = scores.masked_fill(~visible, -torch.inf).softmax(dim=-1)
            mixed = pattern @ value
            written = torch.einsum("bhtk,hkd->btd", mixed, weights[block + "output"])
            stream = self.drop(stream + written)
            hidden = torch.relu(stream @ weights[block + "mlp_in"])
            stream = self.drop(stream + hidden @ weights[block + "mlp_out"])
        return stream @ weights["unembedding"]


class Training:
    """A model, its data and its optimiser."""

    def __init__(self, arrays):
        setting = json.loads(str(arrays["setting"]))
        self.setting = setting
        named = {
            name.removeprefix("weights."): arrays[name]
            for name in arrays.files
            if name.startswith("weights.")
        }
        self.model = Transformer(named, setting["dropout"], setting["shared_mask"])
        self.tokens = torch.tensor(arrays["tokens"])
        self.labels = torch.tensor(arrays["labels"])
        sizes = torch.tensor(setting["class_sizes"])
        ends = torch.cumsum(sizes, 0)
        place = torch.arange(int(sizes.max()))
        self.column = torch.minimum((ends - sizes)[:, None] + place, ends[-1] - 1)
        self.outside = place >= sizes[:, None]
        self.scale = torch.log(sizes.to(next(self.model.parameters()).dtype))
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            lr=setting["learning_rate"],
            betas=(setting["beta1"], setting["beta2"]),
            eps=setting["epsilon"],
            weight_decay=setting["weight_decay"],
        )
        self.slow = None

    def losses(self):
        """Cross-entropy of every task, guessing 1: [N]."""
        logits = self.model(self.tokens)[:, -1]
        padded = logits[:, self.column].masked_fill(self.outside, -torch.inf)
        chosen = padded.log_softmax(dim=-1).gather(-1, self.labels[..., None])
        return -chosen[..., 0].mean(dim=0) / self.scale

    def epoch(self):
        """One update on all numbers; the losses before it."""
        self.optimiser.zero_grad()
        losses = self.losses()
        total = losses.sum() if self.setting["reduction"] == "sum" else losses.mean()
        total.backward()
        self.amplify()
        self.optimiser.step()
        return losses.detach()

    def amplify(self):
        """Grokfast: each gradient plus a share of its exponential moving average."""
        decay, strength = self.setting["filter_decay"], self.setting["filter_strength"]
        gradients = [weight.grad for weight in self.model.parameters()]
        if self.slow is None:
            zeros = self.setting["filter_start"] == "zeros"
            self.slow = [torch.zeros_like(g) if zeros else g.clone() for g in gradients]
        for slow, gradient in zip(self.slow, gradients, strict=True):
            slow.mul_(decay).add_(gradient, alpha=1 - decay)
            gradient.add_(slow, alpha=strength)


def main():
    arrays = np.load(sys.argv[1])
    torch.set_num_threads(int(sys.argv[2]))
    training = Training(arrays)
    for line in sys.stdin:
        what, count = line.split()
        began = time.perf_counter()
        losses = [training.epoch().tolist() for _ in range(int(count))]
        answer = losses if what == "losses" else time.perf_counter() - began
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
