"""`miiii certify` on stored runs, and the script that checks what it wrote."""

import json
import shlex
import subprocess
import sys

import jax
import numpy as np
import pytest

from miiii import get_preset, load_run, replace_fields, with_labels
from miiii.cli.main import run
from miiii.model.parameters import Block, Parameters
from miiii.results.certificates import certify_run
from miiii.tasks.dataset import build_dataset
from results.stored_runs import forward, store, weights
from wording import naming, says

BASE = replace_fields(get_preset("tiny"), base=7, width=8, heads=2, epochs=24, validation_size=8)
CONFIGS = {
    "random": BASE,
    "nanda": replace_fields(BASE, task="nanda"),
    "shuffled": replace_fields(BASE, task="basis"),
    "divides": replace_fields(BASE, target="divisibility", moduli=(2, 4, 6)),
    "composite": replace_fields(BASE, base=6, moduli=(2, 4, 6, 40)),
    "deep": replace_fields(BASE, depth=2),
    "double": replace_fields(BASE, precision="float64"),
    "waves": replace_fields(BASE, task="waves"),
    "divide": replace_fields(BASE, task="nanda", operation="divide"),
    "quadratic": replace_fields(BASE, task="nanda", operation="x2xyy2"),
}


def solved(config):
    """Weights that answer n mod q for q = 2 and 3 at p = 7: p ≡ 1, so that n ≡ x0 + x1.

    One neuron per value of x0 + x1 is hard to write by hand; here the MLP has a neuron for every
    threshold of the sum, and differences of them read each value out.
    """
    base, width = config.task.base, config.model.width
    shape = weights(config, 0)
    empty = jax.tree.map(np.zeros_like, shape)
    block = {
        name: np.array(getattr(empty.blocks[0], name))
        for name in ("query", "key", "value", "output", "mlp_in", "mlp_out")
    }
    token = np.array(empty.token_embedding)
    token[:base, 0] = 3 * np.arange(base)  # attention is uniform over three positions
    token[base, 1] = 1  # the answer token says that there is a constant
    block["value"][0, 0, 0] = block["output"][0, 0, 0] = 1
    sums = 2 * base - 1
    neurons = sums + 1
    # relu(s − t + 1) for t = 0 … : their second differences are 1 at one sum and 0 elsewhere.
    for t in range(neurons):
        block["mlp_in"][0, t], block["mlp_in"][1, t] = 1, 1 - t
    out = np.array(empty.unembedding)
    first = 0
    rank = 2
    for q in config.task.class_sizes:
        for c in range(q):
            out[rank, first + c] = 20.0
            for s in range(sums):
                if s % q == c:
                    for t, factor in ((s, 1), (s + 1, -2), (s + 2, 1)):
                        if t < neurons:
                            block["mlp_out"][t, rank] += factor
            rank += 1
        first += q
    assert rank <= width
    assert neurons <= block["mlp_in"].shape[1]
    return Parameters(token, np.array(empty.position_embedding), (Block(**block),), out)


SOLVED = replace_fields(BASE, moduli=(2, 3))
HOLES = (5, 6, 20, 48)


def with_holes(config, holes=()):
    """The same tasks as labels; the numbers of HOLES are answered otherwise, or not at all."""
    labels = np.arange(49)[:, None] % np.array(config.task.task_moduli)
    labels[list(HOLES)] = (labels[list(HOLES)] + 1) % np.array(config.task.task_moduli)
    labels[list(holes)] = -1
    return with_labels(config, labels)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, config in CONFIGS.items():
        if name == "double":
            # Numbers that float32 does not have.
            wide = jax.tree.map(lambda leaf: leaf * np.float64(1 + 1e-9), weights(config, 24))
            store(folder, name, config, snapshots=(24,), planted=wide)
        else:
            store(folder, name, config, snapshots=(0, 24))
    store(folder, "solved", SOLVED, snapshots=(0, 24), planted=solved(SOLVED))
    for name, config in (("mislabelled", with_holes(SOLVED)), ("holes", with_holes(SOLVED, HOLES))):
        store(folder, name, config, snapshots=(24,), planted=solved(SOLVED))
    return folder


def certify(runs, name, *words):
    return run(["certify", name, "--runs-dir", str(runs), *map(str, words)])


def check(folder):
    """The checking script as a stranger runs it: NumPy alone, nothing of the project's on the path.

    Python's -I and -S with NumPy's own directory would be stricter, but NumPy is in site-packages.
    """
    code = (
        "import runpy, sys; sys.modules['miiii'] = sys.modules['jax'] = None\n"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code, folder / "check_certificate.py", folder / "certificate.json"],
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def written(runs, tmp_path_factory):
    """Certificates of the run that is right and of one that never learnt."""
    folder = tmp_path_factory.mktemp("certificates")
    codes = {
        name: certify(runs, name, "--output-dir", folder / name) for name in ("solved", "random")
    }
    assert codes == {"solved": 0, "random": 1}
    return folder


def test_the_command_that_is_printed_checks_the_certificate(runs, tmp_path, capsys):
    assert certify(runs, "solved", "--output-dir", tmp_path / "with space") == 0
    _, command = capsys.readouterr().out.rsplit("check it again with: ", 1)
    python, *words = shlex.split(command)
    assert python == "python"
    checked = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "found again" in checked.stdout


def test_a_network_that_is_right_everywhere_is_certified(runs, written, capsys):
    assert certify(runs, "solved", "--output-dir", written / "again") == 0
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()[1:3]]
    assert [row[:2] for row in rows] == [["2", "0"], ["3", "0"]]
    assert says(printed, "2 of 2 tasks certified 49 numbers, 2 float32")
    record = json.loads((written / "again" / "certificate.json").read_text())
    assert record["certified"] is True
    for task in record["tasks"]:
        assert task["certified"] == {"float64": True, "float32": True}
        assert task["counterexamples"] == []
        # Written by hand: the right logit is 20, every other 0, whatever the number.
        assert task["smallest_margin"] == pytest.approx(20, abs=1e-5)
        assert task["largest_bound"]["float64"] < 1e-9
        assert task["structure"]["certified"] is True
    assert check(written / "again").returncode == 0


def test_counterexamples_are_those_of_a_plain_forward_pass(written):
    record = json.loads((written / "random" / "certificate.json").read_text())
    config = CONFIGS["random"]
    logits, _ = forward(weights(config, 24), 7)
    dataset = build_dataset(config.task, config.seed)
    first = 0
    for column, task in enumerate(record["tasks"]):
        q = task["modulus"]
        head = logits[:, first : first + q]
        first += q
        wrong = [n for n in range(49) if head[n].argmax() != n % q]
        assert task["wrong"] == len(wrong)
        assert [each["n"] for each in task["counterexamples"]] == wrong
        for each in task["counterexamples"]:
            n = each["n"]
            assert each["digits"] == [n % 7, n // 7]
            assert (each["predicted"], each["right"]) == (head[n].argmax(), n % q)
            assert n in getattr(dataset.split, each["split"])
            assert each["margin"] == pytest.approx(head[n, n % q] - head[n].max())
            assert each["proved"]
        parts = task["splits"].values()
        assert sum(part["wrong"] for part in parts) == len(wrong)
        assert sum(part["numbers"] for part in parts) == 49
        assert task["smallest_margin"] == min(p["smallest_margin"] for p in parts)
        assert dataset.moduli[column] == q
    assert check(written / "random").returncode == 0


@pytest.mark.parametrize("name", [name for name in CONFIGS if name not in ("random", "waves")])
def test_every_task_with_classes(runs, name, tmp_path, capsys):
    assert certify(runs, name, "--output-dir", tmp_path, "--json") == 1
    record = json.loads(capsys.readouterr().out)
    assert record == json.loads((tmp_path / "certificate.json").read_text())
    assert [task["modulus"] for task in record["tasks"]] == list(CONFIGS[name].task.task_moduli)
    structured = [task["structure"] is not None for task in record["tasks"]]
    if name in ("nanda", "shuffled", "divide", "quadratic"):
        assert says(record["no_structure"], "n mod q")
        assert not any(structured)
    elif name == "composite":
        assert structured == [True, True, True, False]  # 40 ≥ 36: every class has one number
    else:
        assert all(structured)
    done = check(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_numbers_without_an_answer_are_not_certified_and_not_wrong(runs, tmp_path, capsys):
    assert certify(runs, "mislabelled", "--output-dir", tmp_path / "mislabelled") == 1
    assert certify(runs, "holes", "--output-dir", tmp_path / "holes") == 0
    assert "all 45 numbers" in capsys.readouterr().out
    for name, numbers, wrong in (("mislabelled", 49, 4), ("holes", 45, 0)):
        record = json.loads((tmp_path / name / "certificate.json").read_text())
        assert record["numbers"] == numbers
        for task in record["tasks"]:
            assert task["wrong"] == wrong
            assert sum(part["numbers"] for part in task["splits"].values()) == numbers
        assert check(tmp_path / name).returncode == 0
    path = tmp_path / "holes" / "certificate.json"
    path.write_text(path.read_text().replace('"numbers": 45', '"numbers": 49'))
    assert says(check(tmp_path / "holes").stdout, "45 numbers 49")


def test_a_snapshot_has_a_place_of_its_own(runs, capsys):
    assert certify(runs, "random", "--epoch", "0") == 1
    assert "no structural form" not in capsys.readouterr().out
    record = json.loads((runs / "random/analysis/epoch-0/certificate.json").read_text())
    assert record["epoch"] == 0
    assert not (runs / "random/analysis/certificate.json").exists()
    opened = load_run("random", runs)
    margins = [certify_run(opened, epoch).tasks[0].smallest_margin for epoch in (0, None)]
    assert record["tasks"][0]["smallest_margin"] == margins[0] != margins[1]


def change_json(change):
    def tamper(folder):
        path = folder / "certificate.json"
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))

    return tamper


def wrong_weights(folder):
    with np.load(folder / "certificate.npz") as file:
        arrays = dict(file)
    arrays["unembedding"] = arrays["unembedding"] * np.float32(1.001)
    np.savez(folder / "certificate.npz", **arrays)


def task_change(index, **values):
    return change_json(lambda record: record["tasks"][index].update(values))


def leave_out(record):
    record["tasks"][1]["counterexamples"].pop(3)
    record["tasks"][1]["wrong"] -= 1


def swap_answer(record):
    example = record["tasks"][1]["counterexamples"][0]
    example["predicted"], example["right"] = example["right"], example["predicted"]


TAMPERED = {
    "weights": (wrong_weights, "certificate.npz is not the file that was certified"),
    "margin": (task_change(0, smallest_margin=1.5), "task 2: margins differ"),
    "left out": (change_json(leave_out), "numbers are wrong, not"),
    "swapped": (change_json(swap_answer), "not as listed"),
    "verdict": (
        task_change(2, certified={"float64": True, "float32": True}),
        "task 5: not proved to be right",
    ),
    "bound": (
        task_change(0, largest_bound={"float64": 1e-3, "float32": 1.0}),
        "task 2: the bound is above",
    ),
    "float32 bound": (
        task_change(0, largest_bound={"float64": 1e-14, "float32": 1e-12}),
        "off by more than their bound",
    ),
    "summary": (change_json(lambda record: record.update(certified=True)), "'certified'"),
    "modulus": (task_change(0, modulus=3), "the tasks (modulus, classes) are"),
    "structure": (
        change_json(lambda record: record["tasks"][0]["structure"].update(decided_numbers=49)),
        "are decided by n mod 2",
    ),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_the_checker_catches(kind, written, tmp_path):
    for path in (written / "random").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tamper, message = TAMPERED[kind]
    tamper(tmp_path)
    done = check(tmp_path)
    assert done.returncode == 1
    assert message in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["waves"], "waves T_waves real"),
        (["rondom"], "'rondom' 'random'"),
        (["random", "--epoch", "7"], "--epoch 7 random 0,24"),
        (["random", "--epoc", "7"], "'--epoc' '--epoch'"),
    ],
)
def test_refusals_are_one_line_and_exit_2(runs, words, message, capsys):
    assert certify(runs, *words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says(printed.err, message)
    assert len(printed.err.strip().splitlines()) == 1


def test_help_states_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        run(["certify", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert says(text, "0 every task certified; 1 some not; 2 refused")


def test_waves_are_refused_by_the_python_interface_too(runs):
    with pytest.raises(ValueError, match=naming("waves T_waves")):
        certify_run(load_run("waves", runs))


@pytest.mark.parametrize("command", [["certify"], ["export", "--to", "csv"], ["resume"]])
def test_a_configuration_that_cannot_be_read_is_a_damaged_run(tmp_path, capsys, command):
    path = store(tmp_path, "run", BASE, ())
    (path / "config.toml").write_text("[task]\nbase = 7.5\n")
    words = [command[0], "run", *command[1:], "--runs-dir", str(tmp_path)]
    assert run(words) == 1
    said = capsys.readouterr().err
    assert "config.toml" in said
    assert says(said, "base 7.5 whole")
