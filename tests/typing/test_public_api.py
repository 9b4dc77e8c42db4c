"""The package ships its types, and they hold for code that uses the public face."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import miiii

HERE = Path(__file__).parent
WRONG = """\
import miiii
from miiii.tracking.protocol import TrackedRun, Tracker

miiii.load_run(3)
miiii.replace_fields("tiny", base=7)
epoch: str = miiii.load_run("a").history.first_reached(0.9)[2]
miiii.get_preset("tiny").optim.learning_rates
miiii.start(miiii.get_preset("tiny"), ["a"])


class Half:
    def started(self, run: TrackedRun) -> int:
        return 0


tracker: Tracker = Half()
"""
"""Uses that no user gets away with, one per statement after the imports."""
MISTAKEN = [4, 5, 6, 7, 8, 16]
"""Their lines, from 1."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What pyright says of the user's code and of its mistaken neighbour: (file, line, text)."""
    pytest.importorskip("pyright")
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(HERE / "public_api.py", folder)
    shutil.copy(HERE / "pyrightconfig.json", folder)
    (folder / "wrong.py").write_text(WRONG)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pyright", "--outputjson"),
            *("-p", folder, "--pythonpath", sys.executable),
        ],
        capture_output=True,
        text=True,
    )
    read = json.loads(done.stdout)
    assert read["summary"]["filesAnalyzed"] == 2
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
        for one in read["generalDiagnostics"]
    ]


def test_code_that_uses_the_public_face_is_right(found):
    assert [one for one in found if one[0] == "public_api.py"] == []


def test_every_mistake_is_seen(found):
    assert {line for name, line, _ in found if name == "wrong.py"} == set(MISTAKEN)


def test_every_public_name_is_used():
    text = (HERE / "public_api.py").read_text()
    missing = [name for name in miiii.__all__ if name not in text]
    assert missing == []


def test_the_package_says_that_it_is_typed():
    assert (Path(miiii.__file__).parent / "py.typed").is_file()
