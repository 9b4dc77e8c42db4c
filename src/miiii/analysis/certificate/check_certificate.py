"""Check a certificate: python check_certificate.py certificate.json.

Needs only NumPy and the .npz beside the JSON. It evaluates the network in textbook order, and
proves every verdict again with another bound, which is simpler and larger than the certificate's:
absolute values of the weights are multiplied layer by layer. The bound for float32 is tested by
evaluating the network in float32. Exit code: 0 if everything was found again, else 1, with the
differences printed.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

UNIT, EXP_ULPS = 2.0**-53, 4
WIDER = 1 + 1e-9  # bounds are rounded too, by far less than this
SPLITS = ("train", "validation", "test")
# The settings of models in certificates that do not list them.
PAPER = {
    "activation": "relu",
    "attention_mask": "causal",
    "attention_coefficient": 1.0,
    "digit_tokens": "shared",
}


def times(x, off, weight):
    """A product with stored weights, and a bound on its error; `off` is that of x."""
    gamma = len(weight) * UNIT / (1 - len(weight) * UNIT)
    return x @ weight, (gamma * (np.abs(x) + off) + off) @ np.abs(weight) * WIDER


def plus(x, off, y, other_off):
    """A sum, and a bound on its error."""
    return x + y, (off + other_off) * WIDER + UNIT * np.abs(x + y) * WIDER


def layer(x, off, weight, bias):
    """A product with stored weights, plus a bias if there is one, and a bound on its error."""
    if bias is None:
        return times(x, off, weight)
    y, y_off = times(x, off, weight)
    return y + bias, (y_off + UNIT * (np.abs(y + bias) + y_off)) * WIDER


def attend(x, off, query, key, value, place, model):
    """One head at one position: x [B, T, D] to [B, K]."""
    unit = UNIT * (query.shape[0] + query.shape[1] + 8)
    q, q_off = times(x[:, place], off[:, place], query)
    last = x.shape[1] if model["attention_mask"] == "full" else place + 1
    seen, seen_off = x[:, :last], off[:, :last]
    score = np.einsum("btk,bk->bt", seen @ key, q) / np.sqrt(len(q[0]))
    reach, gap = (np.abs(seen) + seen_off) @ np.abs(key), seen_off @ np.abs(key)
    wrong = np.einsum("btk,bk->bt", gap + 2 * unit * reach, np.abs(q) + q_off)
    wrong += np.einsum("btk,bk->bt", reach, q_off)
    below = score.max(axis=1, keepdims=True) - score
    wrong = wrong / np.sqrt(len(q[0])) + UNIT * (below + 2 * wrong.max(axis=1, keepdims=True))
    a = np.exp(-below) / np.exp(-below).sum(axis=1, keepdims=True)
    ratio = (wrong + wrong.max(axis=1, keepdims=True) + (4 * EXP_ULPS + 8) * UNIT) * WIDER
    a_off = np.where(ratio < 1, a * np.expm1(np.minimum(ratio, 1)) * WIDER, 1.01)
    share = model["attention_coefficient"]
    if share != 1:
        # Four roundings of numbers of at most about 1: of share, 1 - share, product and sum.
        a_off = (share * a_off + 5 * UNIT * (1 + share * a_off)) * WIDER
        a = share * a + (1 - share)
    v, v_off = times(seen, seen_off, value)
    carried = a_off[..., None] * (np.abs(v) + v_off) + a[..., None] * v_off
    rounded = 4 * UNIT * (a + a_off)[..., None] * (np.abs(v) + v_off)
    return np.einsum("bt,btk->bk", a, v), (carried + rounded).sum(axis=1) * WIDER


def network(w, tokens, model):
    """Logits [B, V] of tokens [B, T], in the weights' precision, and bounds on their errors."""
    x = w["token_embedding"][tokens] + w["position_embedding"]
    off = UNIT * np.abs(x)
    depth = sum(name.endswith(".query") for name in w)
    for b in range(depth):
        names = ("query", "key", "value", "output", "mlp_in", "mlp_out")
        query, key, value, output, mlp_in, mlp_out = (w[f"blocks.{b}.{name}"] for name in names)
        b_in, b_out = (w.get(f"blocks.{b}.{name}_bias") for name in ("mlp_in", "mlp_out"))
        streams = []
        for place in range(x.shape[1])[-1 if b == depth - 1 else 0 :]:
            matrices = zip(query, key, value, strict=True)
            heads = [attend(x, off, *each, place, model) for each in matrices]
            z, z_off = (np.concatenate(part, axis=1) for part in zip(*heads, strict=True))
            out = times(z, z_off, output.reshape(-1, output.shape[-1]))
            middle, middle_off = plus(x[:, place], off[:, place], *out)
            neurons, neurons_off = layer(middle, middle_off, mlp_in, b_in)
            added = layer(np.maximum(neurons, 0), neurons_off, mlp_out, b_out)
            streams.append(plus(middle, middle_off, *added))
        x, off = (np.stack(part, axis=1) for part in zip(*streams, strict=True))
    logits, off = times(x[:, -1], off[:, -1], w["unembedding"])
    return logits, off


def right_classes(run, arrays):
    """[p², N], by the task's rule; shuffled labels and a user's labels come from the file."""
    n, p = np.arange(run["base"] ** 2), run["base"]
    x0, x1 = n % p, n // p
    if run["task"] in ("basis", "custom"):
        return arrays["targets"]
    if run["task"] == "nanda":
        result = {"add": x0 + x1, "subtract": x0 - x1, "multiply": x0 * x1}
        result["x2xyy2"] = x0**2 + x0 * x1 + x1**2
        if run["operation"] == "divide":
            return quotients(p)[x0, x1][:, None]
        return (result[run["operation"]] % p)[:, None]
    remainder = n[:, None] % arrays["moduli"]
    return (remainder == 0).astype(int) if run["target"] == "divisibility" else remainder


def quotients(p):
    """[p, p]: the class c with c · x1 = x0 modulo p; -1 where there is none or more than one."""
    products = np.outer(np.arange(p), np.arange(p)) % p
    found = np.full((p, p), -1)
    for x1 in range(p):
        if len(set(products[:, x1])) == p:
            found[products[:, x1], x1] = np.arange(p)
    return found


def margins(logits, right):
    """Right logit minus the largest other one, and the class of that one."""
    others = logits.copy()
    np.put_along_axis(others, right[:, None], -np.inf, axis=1)
    of_right = np.take_along_axis(logits, right[:, None], axis=1)[:, 0]
    return of_right - others.max(axis=1), others.argmax(axis=1)


def check_task(task, split, p, listed_at_most, logits, off, single, right):
    """The differences between one task's entry and what is found, as lines of text."""
    answered = right >= 0
    margin, best = margins(logits, right)
    margin[~answered] = np.nan
    if (split[answered] < 0).any() or (split[~answered] >= 0).any():
        yield "the split is not that of the numbers that have an answer"
    bound = 2 * off.max(axis=1) * WIDER + 1e-200  # the last for underflow
    slack = float(bound.max())  # the certificate's numbers were computed in another order
    at, wrong = task["smallest_margin_at"]["n"], np.flatnonzero(margin <= 0)
    least, quantiles = np.nanmin(margin), task["quantiles"]
    pairs = [(task["smallest_margin"], least), (margin[at], least)]
    pairs += [(quantiles[q], np.quantile(margin[answered], float(q))) for q in quantiles]
    for index, name in enumerate(SPLITS):
        part, listed = margin[split == index], task["splits"][name]
        if (listed["numbers"], listed["wrong"]) != (len(part), int((part <= 0).sum())):
            yield f"the {name} numbers are {len(part)}, {(part <= 0).sum()} of them wrong"
        if len(part):
            pairs.append((listed["smallest_margin"], part.min()))
    if not all(abs(listed - found) <= slack for listed, found in pairs):
        yield f"margins differ: the smallest is {least:.9g} at n = {np.nanargmin(margin)}"
    examples = task["counterexamples"]
    if task["wrong"] != len(wrong) or len(examples) != min(len(wrong), listed_at_most):
        yield f"{len(wrong)} numbers are wrong, not {task['wrong']} with as many listed"
    for n, listed in zip(wrong.tolist(), examples, strict=False):
        record = [n, [n % p, n // p], int(best[n]), int(right[n]), SPLITS[split[n]]]
        if [listed[key] for key in ("n", "digits", "predicted", "right", "split")] != record:
            yield f"the next wrong number is n = {n}, not as listed"
            break
        if abs(listed["margin"] - margin[n]) > slack or (listed["proved"] and margin[n] > 0):
            yield f"the margin at n = {n} is {margin[n]:.9g}"
    # The verdicts: proved again in float64, tested in float32.
    if task["certified"]["float64"] and not (margin > bound)[answered].all():
        yield f"not proved to be right at n = {np.nanargmin(margin - bound)}"
    if task["proved_wrong"] > len(wrong) or task["proved_wrong"] < int((-margin > bound).sum()):
        yield f"{(-margin > bound).sum()} numbers are proved wrong, not {task['proved_wrong']}"
    largest = task["largest_bound"]
    # The certificate's bound is the smaller one, unless errors are as large as values.
    if largest["float64"] is None or not 0 < largest["float64"] <= 4 * slack:
        yield f"the bound is above {4 * slack:.3g}, or not above 0"
    if largest["float32"] is not None and 2 * np.abs(single - logits).max() > largest["float32"]:
        yield "evaluated in float32, the logits are off by more than their bound"
    if task["certified"]["float32"] and not (margins(single, right)[0] > 0)[answered].all():
        yield "evaluated in float32, some answers are wrong"
    form, q = task["structure"], task["modulus"]
    if form is not None:
        residue = np.arange(len(right)) % q
        restricted = np.stack([logits[residue == r].mean(axis=0) for r in range(q)])
        least = margins(restricted, right[:q])[0]
        spread = np.ptp(logits - restricted[residue], axis=1)
        largest = np.array([spread[residue == r].max() for r in range(q)])
        decided = int((least[residue] - spread > form["rounding"]).sum())
        listed = np.array([form["restricted_margin"], form["largest_spread_of_residual"]])
        if np.abs(listed - [least, largest]).max() > 2 * slack:
            yield "restricted margins or residuals differ"
        proved = bool((least[residue] - spread > 3 * slack).all())
        if form["decided_numbers"] != decided or form["certified"] != proved:
            yield f"{decided} numbers are decided by n mod {q}, not {form['decided_numbers']}"


def check(path):
    """The differences between the certificate and what is found, as lines of text."""
    certificate = json.loads(path.read_text(encoding="utf-8"))
    run, file, faults = certificate["run"], path.parent / certificate["weights"]["file"], []
    if hashlib.sha256(file.read_bytes()).hexdigest() != certificate["weights"]["sha256"]:
        faults.append(f"{file.name} is not the file that was certified")
    arrays, p = dict(np.load(file)), run["base"]
    right, sizes = right_classes(run, arrays), arrays["class_sizes"].tolist()
    tasks = list(zip(arrays["moduli"].tolist(), sizes, strict=True))
    if [(task["modulus"], task["classes"]) for task in certificate["tasks"]] != tasks:
        return [*faults, f"the tasks (modulus, classes) are {tasks}"]
    n, answered = np.arange(p**2), int((right >= 0).all(axis=1).sum())
    if certificate["numbers"] != answered:
        faults.append(f"{answered} numbers have an answer, not {certificate['numbers']}")
    model = {**PAPER, **run.get("model", {})}
    if model["activation"] != "relu":
        return [*faults, f"the activation is {model['activation']}: this script supports only relu"]
    x1 = n // p + (p if model["digit_tokens"] == "separate" else 0)
    answer = np.full_like(n, len(arrays["token_embedding"]) - 1)
    tokens = np.stack([n % p, x1, answer], axis=1)[:, : len(arrays["position_embedding"])]
    evaluated = {}
    for kind in (np.float64, np.float32):
        weights = {name: a.astype(kind) for name, a in arrays.items() if a.dtype.kind == "f"}
        pieces = np.array_split(tokens, -(-len(n) // 256))
        parts = [network(weights, piece, model) for piece in pieces]
        evaluated[kind] = [np.concatenate(each) for each in zip(*parts, strict=True)]
    logits, off = evaluated[np.float64]
    if not np.abs(off).max() < 1e60:
        return [*faults, "numbers are too large for this script to prove anything"]
    ends = np.cumsum(sizes).tolist()
    split, at_most = arrays["split"], certificate["listed_at_most"]
    for index, (task, end) in enumerate(zip(certificate["tasks"], ends, strict=True)):
        head = slice(end - task["classes"], end)
        single = evaluated[np.float32][0][:, head].astype(np.float64)
        parts = logits[:, head], off[:, head], single, right[:, index]
        found = check_task(task, split, p, at_most, *parts)
        faults += [f"task {task['modulus']}: {fault}" for fault in found]
    if certificate["certified"] != all(t["certified"]["float64"] for t in certificate["tasks"]):
        faults.append("'certified' does not follow from the tasks")
    return faults


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python check_certificate.py certificate.json")
    found = check(Path(sys.argv[1]))
    print("\n".join(found) or "everything in the certificate was found again")
    sys.exit(1 if found else 0)
