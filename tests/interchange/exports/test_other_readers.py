"""Exported tables and model cards in DuckDB, polars, pandas and huggingface_hub themselves.

They live in `.venv-interop`, which `make interop` makes, or in the tests' own environment; without
them these tests are skipped, and under MIIII_TESTS_NEED=interop they fail.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from miiii import get_preset, replace_fields
from miiii.cli.main import run as miiii
from miiii.interchange.exports.history_table import history_table, to_csv, to_parquet
from miiii.interchange.exports.model_index import model_index
from miiii.runs.counts import with_accuracies
from results.stored_runs import store
from wording import says

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("reader_script.py")
LIBRARIES = ("duckdb", "polars", "pandas", "pyarrow", "huggingface_hub")
CONFIG = replace_fields(get_preset("tiny"), base=7)


@pytest.fixture(scope="session")
def interpreter():
    for folder in (os.environ.get("MIIII_TESTS_READERS"), ROOT / ".venv-interop"):
        if folder and (Path(folder) / "bin" / "python").exists():
            return Path(folder) / "bin" / "python"
    if all(find_spec(name) for name in LIBRARIES):
        return Path(sys.executable)
    message = "DuckDB, polars and others are not there: run `make interop` first"
    if "interop" in os.environ.get("MIIII_TESTS_NEED", "").split():
        pytest.fail(message)
    pytest.skip(message)


def answers(interpreter, *words):
    command = [interpreter, SCRIPT, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(solved):
    """Four epochs of tasks 2, 3, 5; `solved` are solved at the last; some are not measured."""
    correct = np.full((4, 3), 98, np.int32)
    for column, modulus in enumerate((2, 3, 5)):
        if modulus in solved:
            correct[-1, column] = 99
    correct[1] = -1  # not measured: the accuracy is NaN
    loss = np.linspace(2, 0.5, 12).reshape(4, 3)
    loss[2, 1] = np.nan
    epoch, examples = np.arange(1, 5), np.full(4, 100, np.int32)
    both = {"loss": loss, "correct": correct, "examples": examples}
    named = {
        f"{split}_{key}": each for split in ("train", "validation") for key, each in both.items()
    }
    return with_accuracies({"epoch": epoch, "validation_epoch": epoch, **named})


def test_every_reader_counts_the_same_solved_runs(interpreter, tmp_path):
    for name, solved in (("a", (2, 3)), ("b", (2,)), ("c", (2, 5)), ("d", ())):
        table = history_table(CONFIG, rows(solved))
        (tmp_path / f"{name}.csv").write_bytes(to_csv(table))
        (tmp_path / f"{name}.parquet").write_bytes(to_parquet(table, name, CONFIG))
    found = answers(interpreter, "tables", tmp_path)
    assert len(found) == 6
    # Of 4 runs with 24 rows each: 2 losses and 6 accuracies are unknown; 2 is the largest loss.
    expected = [{"2": 3, "3": 1, "5": 1}, [2.0, 4 * 22, 4 * 18, 0]]
    for reader, answer in found.items():
        assert answer == expected, reader


def test_a_card_with_29_tasks_survives_load_and_save(interpreter, tmp_path):
    primes = [n for n in range(2, 113) if all(n % q for q in range(2, n))]
    assert len(primes) == 29
    scores = {
        part: [1 - place / n for place, n in enumerate(primes, start=1)]
        for part in ("validation", "test")
    }
    path = tmp_path / "README.md"
    front = model_index('a run: "with" marks', 113, primes, scores)
    path.write_text(f"---\nlibrary_name: miiii\n{front}---\n\n# text\n", encoding="utf-8")
    found = answers(interpreter, "card", path)
    assert len(found) == 58
    read = {(config, split): value for config, split, _, value, _ in found}
    assert read == {
        (f"mod-{modulus}", part): scores[part][place]
        for place, modulus in enumerate(primes)
        for part in scores
    }
    names = {config: name for config, *_, name in found}
    assert names == {f"mod-{modulus}": f"n mod {modulus}" for modulus in primes}


def test_the_index_is_there_when_asked_for_only(tmp_path, capsys):
    store(tmp_path / "runs", "run", replace_fields(CONFIG, width=8, heads=2, epochs=24))
    words = ["export", "run", "--to", "hf-folder", "--runs-dir", str(tmp_path / "runs")]
    assert miiii([*words, "--output", str(tmp_path / "plain")]) == 0
    assert miiii([*words, "--output", str(tmp_path / "indexed"), "--model-index"]) == 0
    plain = (tmp_path / "plain" / "README.md").read_text()
    indexed = (tmp_path / "indexed" / "README.md").read_text()
    assert "model-index" not in plain
    assert indexed.count("      config: ") == 2 * 3
    start, _, rest = indexed.partition("model-index:\n")
    assert plain == start + rest[rest.index("---\n") :]
    assert miiii([*words[:3], "csv", *words[4:], "--model-index"]) == 2
    assert says(capsys.readouterr().err, "--model-index --to hf-folder")
