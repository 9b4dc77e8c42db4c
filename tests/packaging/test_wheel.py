"""What a user installs: small, whole, and quick to import."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LARGEST = 1_000_000  # bytes
LONGEST = 0.3  # seconds


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


def test_importing_is_quick():
    """Processor time, so that a busy machine does not count; the quickest of three."""
    code = (
        "import time; start = time.process_time(); import miiii; print(time.process_time()-start)"
    )
    took = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(took) < LONGEST
