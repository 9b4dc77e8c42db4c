"""Every code block of the documentation does what it says, and every link leads somewhere."""

import re
import sys
from pathlib import Path

import pytest

import miiii
from miiii.cli.main import COMMANDS
from pages import PAGES, ROOT, SHELLS, SILENT, Block, check, read_blocks, run_page
from wording import naming

NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_the_blocks_of_a_page_run(page, tmp_path, cache):
    run_page(page, tmp_path, cache / "pages")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_block_has_a_language_and_every_exception_a_reason(page):
    for block in read_blocks(page):
        known = block.language in (*SHELLS, *SILENT, "python") or block.language.startswith("{")
        assert known, f"{page.name}:{block.line}: what language is {block.language!r}?"
        for mark, reason in block.marks:
            assert reason or mark.startswith("needs "), f"{page.name}:{block.line}: {mark}; why?"
            assert re.fullmatch(r"parsed only|small|exit \d+|needs .*", mark), mark


_LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_and_pictures_are_there(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, _ in _LINK.findall(text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_pages_are_found():
    assert {"README.md", "docs/index.md", "docs/tutorial.md"} <= set(NAMES)
    assert "docs/how-to/own-task.md" in NAMES


def test_every_command_is_in_the_documentation_by_itself():
    sys.path.insert(0, str(ROOT / "docs" / "extensions"))
    try:
        command_line = pytest.importorskip("command_line")
    finally:
        sys.path.pop(0)
    overview = command_line.help_text()
    assert set(COMMANDS) <= set(command_line.subcommands(overview))
    assert "--learning-rate" in command_line.help_text("train")


def block(text, language="sh", *marks):
    return Block(Path("page.md"), 1, language, text, tuple((mark, "") for mark in marks))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("miiii trian", "command 'trian'"),
        ("miiii train --widht 8", "--widht"),
        ("miiii train --wid 8", "--wid"),
        ("make reproduced", "target reproduced"),
        ("pip install 'miiii[everything]'", "extra everything"),
        ("frobnicate", "frobnicate"),
    ],
)
def test_a_command_that_does_not_exist_is_noticed(text, said):
    with pytest.raises(AssertionError, match=naming(said)):
        check(block(text))


def test_commands_that_exist_pass():
    check(block("miiii train --width 8 \\\n  --preset=tiny  # why\nmiiii list; miiii show x\n"))
    check(block("make test && make bench\npip install -e '.[dev]'"))
    check(block("$ miiii list\nprinted\n", "console"))
    with pytest.raises(SyntaxError):
        check(block("a = = 1", "python"))


def test_blocks_are_cut_out_with_their_marks(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- test: needs a, b -->\n\n<!-- test: parsed only; slow -->\n```sh\nmiiii list\n```\n"
        "<!-- test: small; slow -->\n\n```python\nx = 1\n```\n~~~text\n```\n~~~\n"
    )
    found = read_blocks(page)
    assert [(b.line, b.language, b.text, b.marks) for b in found] == [
        (4, "sh", "miiii list", (("parsed only", "slow"),)),
        (9, "python", "x = 1", ()),
        (12, "text", "```", ()),
    ]


def test_a_page_whose_code_fails_fails(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    with pytest.raises(AssertionError):
        run_page(page, tmp_path, tmp_path)
    page.write_text("```sh\nmiiii show nothing-of-this-name\n```\n")
    with pytest.raises(AssertionError, match="exit code 2"):
        run_page(page, tmp_path, tmp_path)
    assert miiii.__version__
