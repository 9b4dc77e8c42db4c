"""The rooms keep their walls, the doors open quickly, and everything public is described."""

import ast
import importlib
import re
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


def private_names(tree):
    """Names with an underscore of the package that a test imports, reads or replaces."""
    ours = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "miiii":
            ours |= {each.asname or each.name for each in node.names}
            yield from (each.name for each in node.names if re.match("_[a-z]", each.name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in ours:
            yield from re.findall("^_[a-z].*", node.attr)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "setattr":
            texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
            if getattr(node.args[0], "id", "") in ours or "miiii." in str(texts[:1]):
                yield from (text for text in texts if re.search(r"(^|\.)_[a-z]", str(text)))


def test_tests_go_through_public_names():
    found = {
        path.name: names
        for path in Path(__file__).parent.rglob("*.py")
        if (names := [*private_names(ast.parse(path.read_text(encoding="utf-8")))])
    }
    assert found == {}


def test_a_private_name_is_noticed():
    planted = (
        "from miiii.runs import _a, atomic\natomic._b()\npatch.setattr(atomic, '_c', 1)\n"
        "patch.setattr('miiii.runs.atomic._d', 1)\nos._exit(1)\natomic.__name__"
    )
    assert {name[-2:] for name in private_names(ast.parse(planted))} == {"_a", "_b", "_c", "_d"}


def test_modules_are_found():
    assert {"miiii", "miiii.config.config", "miiii.tasks.numbers", "miiii.cli.main"} <= set(MODULES)
    assert importlib.import_module("miiii.tasks.numbers").__file__ == str(
        MODULES["miiii.tasks.numbers"]
    )
