"""The rooms keep their walls, the doors open quickly, and everything public is described."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import miiii
from wording import naming, says

PACKAGE = Path(miiii.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
HEAVY = ("jax", "jaxlib", "optax", "matplotlib", "scipy")


def run_python(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )


def test_the_import_contracts_hold(tmp_path):
    pytest.importorskip("importlinter")
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"),
            *("--config", str(root / "pyproject.toml"), "--cache-dir", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
    assert "0 kept" not in done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "miiii",
        "miiii.cli.main",
        "miiii.config.config",
        "miiii.config.presets",
        "miiii.tasks.dataset",
    ],
)
def test_jax_is_imported_late(module):
    done = run_python(
        f"import {module}, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_help_and_usage_errors_do_not_import_jax():
    done = run_python(
        "import sys; from miiii.cli.main import run\n"
        "codes = [run(['--help']), run(['trian']), run([])]\n"
        f"print(codes, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert done.stdout.splitlines()[-1] == "[0, 2, 2] []", done.stderr
    assert says(done.stderr, "error: command 'trian' 'train'")


def test_the_public_names_exist():
    for name in miiii.__all__:
        assert getattr(miiii, name) is not None
    assert dir(miiii) == sorted(miiii.__all__)
    with pytest.raises(AttributeError, match=naming("'trian'")):
        miiii.trian  # noqa: B018


def _is_overload(node):
    """Whether it is only a type of the function that follows."""
    return any(getattr(each, "id", "") == "overload" for each in node.decorator_list)


def public_definitions(body, inside=""):
    """Public functions, classes and their public methods: name and node."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_") or _is_overload(node):
                continue
            yield f"{inside}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{inside}{node.name}.")


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_is_described(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{module} has no docstring"
    silent = [name for name, node in public_definitions(tree.body) if not ast.get_docstring(node)]
    assert not silent


def test_test_files_have_names_of_their_own():
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert len(names) == len(set(names))


def test_modules_are_found():
    assert {"miiii", "miiii.config.config", "miiii.tasks.numbers", "miiii.cli.main"} <= set(MODULES)
    assert importlib.import_module("miiii.tasks.numbers").__file__ == str(
        MODULES["miiii.tasks.numbers"]
    )
