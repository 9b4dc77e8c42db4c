"""What a command says where an installed package is older than the declared versions."""

from types import SimpleNamespace

import pytest

from miiii import RunError
from miiii.cli import main, requirements


@pytest.fixture
def failing(monkeypatch):
    """A command that ends in an error of the given kind."""

    def make(error):
        def fail(words):
            raise error

        module = SimpleNamespace(train_command=fail)
        monkeypatch.setattr(main, "command_module", lambda name: module)

    return make


@pytest.mark.parametrize("kind", [AttributeError, ImportError, TypeError])
def test_an_error_beside_an_old_package_names_the_package(failing, monkeypatch, capsys, kind):
    failing(kind("module 'optax' has no attribute 'projections'"))
    told = "optax is 0.2.7 (pip install 'optax<0.3,>=0.2.8')"
    monkeypatch.setattr(requirements, "unmet_requirements", lambda: [told])
    assert main.run(["train"]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert "projections" in error
    assert error.count("\n") == 1


def test_an_error_where_every_version_fits_is_not_hidden(failing, monkeypatch):
    failing(AttributeError("a mistake"))
    monkeypatch.setattr(requirements, "unmet_requirements", list)
    with pytest.raises(AttributeError, match="a mistake"):
        main.run(["train"])


def test_a_refusal_stays_what_it_is(failing, monkeypatch, capsys):
    failing(RunError("the run is damaged"))
    monkeypatch.setattr(requirements, "unmet_requirements", lambda: ["optax is 0.2.7"])
    assert main.run(["train"]) == 1
    assert capsys.readouterr().err == "error: the run is damaged\n"
