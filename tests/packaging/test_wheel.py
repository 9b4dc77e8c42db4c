"""What a user installs: small, whole, and quick to import."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 1_000_000  # bytes


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_is_small_and_whole(wheel):
    assert wheel.stat().st_size < LARGEST
    names = set(zipfile.ZipFile(wheel).namelist())
    source = ROOT / "src"
    ignored = ("__pycache__", ".pyc")
    expected = {
        str(path.relative_to(source))
        for path in (source / "miiii").rglob("*")
        if path.is_file() and not any(part in str(path) for part in ignored)
    }
    assert expected <= names
    assert {"miiii/py.typed", "miiii/analysis/certificate/check_certificate.py"} <= names
    assert all(name.startswith(("miiii/", "miiii-")) for name in names)


def test_its_metadata_names_what_the_package_imports(wheel):
    archive = zipfile.ZipFile(wheel)
    info = next(name for name in archive.namelist() if name.endswith("METADATA"))
    metadata = archive.read(info).decode()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        name = requirement.split(">")[0]
        assert f"Requires-Dist: {name}<" in metadata or f"Requires-Dist: {name}>" in metadata
    scripts = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "miiii = miiii.cli.main:main" in archive.read(scripts).decode()


def test_importing_loads_the_face_and_nothing_behind_it():
    code = (
        "import sys; before = set(sys.modules); import miiii\n"
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('_')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    loaded = ast.literal_eval(done.stdout)
    assert [name for name in loaded if name.split(".")[0] == "miiii"] == ["miiii"]
    assert {name.split(".")[0] for name in loaded} <= {"miiii", *sys.stdlib_module_names}
