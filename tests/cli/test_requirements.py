"""doctor compares what is installed with the package's own metadata; declared floors are true."""

import json
from importlib import metadata
from types import SimpleNamespace

import pytest

from miiii.cli import requirements
from miiii.cli.main import run as command
from miiii.cli.requirements import unmet_requirements

DECLARED = [
    "optax<0.3,>=0.2.8",
    "jax<0.13,>=0.10",
    "numpy>=2",
    "optuna<6,>=5.0; extra == 'sweep'",
    "pytest>=8; extra == 'dev'",
    "tomli; python_version < '3.0'",
]
INSTALLED = {"optax": "0.2.8", "jax": "0.10.2", "numpy": "2.4.6", "optuna": "5.0.0"}


@pytest.fixture
def installed(monkeypatch):
    found = dict(INSTALLED)

    def version(name):
        if name not in found:
            raise metadata.PackageNotFoundError(name)
        return found[name]

    names = {"requires": lambda package: DECLARED, "version": version}
    fake = SimpleNamespace(**names, PackageNotFoundError=metadata.PackageNotFoundError)
    monkeypatch.setattr(requirements, "metadata", fake)
    return found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"optax": "0.2.7"}, ["optax is 0.2.7 (pip install 'optax<0.3,>=0.2.8')"]),
        ({"jax": "0.13.0"}, ["jax is 0.13.0 (pip install 'jax<0.13,>=0.10')"]),
        ({"optuna": "4.9"}, ["optuna is 4.9 (pip install 'optuna<6,>=5.0')"]),
        ({"optuna": None}, []),  # nobody needs to sweep
        ({"numpy": None}, ["numpy is missing (pip install 'numpy>=2')"]),
    ],
)
def test_what_is_too_old_too_new_or_missing_is_named(installed, changes, expected):
    installed |= changes
    for name in [name for name, version in installed.items() if version is None]:
        del installed[name]
    assert unmet_requirements() == expected


def test_doctor_fails_on_an_unmet_requirement(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(requirements, "unmet_requirements", lambda: ["optax is 0.2.7 (pip …)"])
    assert command(["doctor", "--json", "--runs-dir", str(tmp_path)]) == 1
    checks = {each["check"]: each for each in json.loads(capsys.readouterr().out)}
    assert not checks["packages"]["ok"]
    assert checks["packages"]["finding"].startswith("optax is 0.2.7")
    assert checks["float64"]["ok"]


def test_this_environment_is_as_declared():
    assert unmet_requirements() == []
