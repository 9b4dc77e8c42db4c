"""Bad input: one line naming field, value and what is allowed; exit 2; nothing written."""

import subprocess
import sys

import pytest

from miiii.cli.main import run
from wording import naming

REFUSED = {
    "trian": ["'trian'", "did you mean 'train'"],
    "train --widht 3": ["--widht", "did you mean '--width'"],
    "train --preset smal": ["preset", "'smal'", "did you mean 'small'"],
    "train --task mii": ["--task", "'mii'", "did you mean 'miiii'"],
    "train --base 2": ["base is 2", "at least 3"],
    "train --base abc": ["--base is 'abc'", "whole number"],
    "train --base": ["--base"],
    "train --heads 3": ["heads is 3", "divide the width"],
    "train --train-fraction 1.5": ["train_fraction is 1.5", "between 0 and 1"],
    "train --train-fraction 0": ["train_fraction is 0.0", "between 0 and 1"],
    "train --base 3 --train-fraction 0.05": ["train_fraction", "none of the 9 numbers to train"],
    "train --moduli 2 1": ["moduli has 1", "at least 2"],
    "train --moduli 2 2": ["moduli has 2 twice"],
    "train --moduli 2 x": ["--moduli has", "'x'", "whole numbers"],
    "train --masked-tasks 4": ["masked_tasks has 4", "among the moduli"],
    "train --learning-rate -1": ["learning_rate is -1.0", "above 0"],
    "train --weight-decay -1": ["weight_decay is -1.0", "at least 0"],
    "train --dropout 1": ["dropout is 1.0", "below 1"],
    "train --epochs 0": ["epochs is 0", "at least 1"],
    "train --epochs 5 --validate-every 6": ["validate_every is 6", "at most epochs"],
    "train --precision float16": ["--precision", "'float16'", "float32, float64"],
    "train --seeds 0": ["--seeds is 0", "at least 1"],
    "train --name a/b": ["a/b"],
    "train --config missing.toml": ["missing.toml", "No such file"],
    "train --runs-dir /dev/null/x": ["--runs-dir"],
    "resume nothing": ["no run 'nothing'"],
    "resume x --weight-decay 0": ["--weight-decay is a setting", "miiii train --from RUN"],
    "show nothing": ["no run 'nothing'"],
    "figures nothing": ["no run 'nothing'"],
    "figures x --format jpg": ["--format has 'jpg'", "svg, pdf, png"],
    "resume": ["miiii resume needs an argument"],
}


@pytest.mark.parametrize("words", REFUSED)
def test_bad_input_is_refused_on_one_line(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(words.split()) == 2
    output = capsys.readouterr()
    assert output.out == ""
    lines = output.err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    for part in REFUSED[words]:
        assert part in lines[0]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[optim]\nlearning_rat = 1.0\n", ["learning_rat", "did you mean 'learning_rate'"]),
        ("[optimm]\nlearning_rate = 1.0\n", ["optimm", "did you mean 'optim'"]),
        ("learning_rate = 1.0\n", ["learning_rate", "[optim]"]),
        ("[optim]\nlearning_rate = 'fast'\n", ["learning_rate is 'fast'", "a number"]),
        ("[task]\nbase = 11.5\n", ["base is 11.5", "whole number"]),
        ("[task\n", ["not valid TOML"]),
    ],
)
def test_a_file_with_a_mistake_is_refused_by_name(text, parts, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_text(text)
    assert run(["train", "--config", "my.toml"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for part in ["my.toml", *parts]:
        assert part in error


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["train", "--base", "2"], ["list"], ["--version"]]
)
def test_help_usage_errors_and_imports_do_without_jax(words, tmp_path):
    code = (
        "import sys; from miiii.cli.main import run\n"
        f"try: run({words!r})\nexcept SystemExit: pass\n"
        "import miiii.interchange.imports.importing\n"
        "assert not {'jax', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_help_explains_every_field_with_its_default(capsys):
    from miiii.config.config import field_sections

    with pytest.raises(SystemExit) as stop:
        run(["train", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for field in field_sections():
        assert "--" + field.replace("_", "-") in text
    assert text.count("(default:") >= len(field_sections())


def test_no_command_shows_the_overview(capsys):
    assert run([]) == 2
    assert run(["--help"]) == 0
    assert capsys.readouterr().out.count("miiii train --preset small") == 2


def test_a_platform_that_jax_refuses_without_a_word_is_refused_in_words(monkeypatch):
    import jax

    from miiii.cli.arguments import UsageError
    from miiii.cli.machine import prepare_jax

    def refuse():
        raise AssertionError

    monkeypatch.setattr(jax, "local_devices", refuse)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    with pytest.raises(UsageError, match=naming("JAX_PLATFORMS='cuda' unset install")):
        prepare_jax()
