"""The request for large pages, which a process can make only when it starts."""

import os
import subprocess
import sys

import pytest

from miiii.experiment import huge_pages
from miiii.experiment.huge_pages import VARIABLE, with_huge_pages

REQUEST = "glibc.malloc.hugetlb=1"

PROGRAM = """
import os, sys
from pathlib import Path
from miiii.experiment import huge_pages
huge_pages.SWITCH = Path(sys.argv[1])
huge_pages.restart_with_huge_pages()
print(os.getpid(), os.environ.get(huge_pages.VARIABLE), sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, REQUEST),
        ("", REQUEST),
        ("glibc.malloc.check=1", f"glibc.malloc.check=1:{REQUEST}"),
        ("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"),
    ],
)
def test_the_users_own_settings_stay(before, after):
    environment = {"HOME": "/home"} | ({} if before is None else {VARIABLE: before})
    assert with_huge_pages(environment) == {"HOME": "/home", VARIABLE: after}


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="glibc's setting")
@pytest.mark.parametrize(
    ("switch", "set_before", "expected"),
    [
        ("always [madvise] never", None, REQUEST),
        ("[always] madvise never", None, "None"),
        ("always madvise [never]", None, "None"),
        (None, None, "None"),
        ("always [madvise] never", "glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"),
    ],
)
def test_a_process_puts_itself_in_its_place_once(tmp_path, switch, set_before, expected):
    file = tmp_path / "enabled"
    if switch is not None:
        file.write_text(switch + "\n")
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if set_before is not None:
        environment[VARIABLE] = set_before
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(file), "two words", "--x"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    output, _ = process.communicate(timeout=60)
    assert output == f"{process.pid} {expected} ['two words', '--x']\n"


def test_a_process_that_cannot_be_replaced_goes_on(tmp_path, monkeypatch):
    def refuse(*given):
        raise OSError("no")

    file = tmp_path / "enabled"
    file.write_text("always [madvise] never\n")
    monkeypatch.setattr(huge_pages, "SWITCH", file)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(os, "execve", refuse)
    huge_pages.restart_with_huge_pages()
    assert VARIABLE not in os.environ
