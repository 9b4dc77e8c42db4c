"""Pages of 2 MB for the intermediate arrays of a dispatch, which need 512 times fewer of them.

Training is faster with them (`experiment.pace` says why; docs/speed.md how much), and no number
changes. A setting of glibc (2.35 or later) asks the kernel for them. glibc reads it once, when a
process starts.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "GLIBC_TUNABLES"
"""glibc's settings, NAME=VALUE separated by colons. Other C libraries pass them over."""
_NAME = "glibc.malloc.hugetlb"
SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")
"""Where the kernel says who gets large pages: the word in brackets."""


def with_huge_pages(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with a request for large pages, unless it has a setting of its own for it."""
    settings = environment.get(VARIABLE, "")
    if _NAME in settings:
        return dict(environment)
    return {**environment, VARIABLE: ":".join(filter(None, [settings, f"{_NAME}=1"]))}


def restart_with_huge_pages() -> None:
    """Put this process's own command in its place, with large pages.

    The process keeps its number, files and signals. It returns where nothing would be gained:
    another system than Linux with glibc, a request that is there already or that the user has
    turned off, or a kernel that gives large pages to all memory, or to none.
    """
    environment = with_huge_pages(os.environ)
    if environment == os.environ or not _asked_for_here():
        return
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    except OSError:
        return  # The command works without, too.


def _asked_for_here() -> bool:
    """Whether the kernel gives large pages to those who ask, and the C library can ask."""
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION")
        version = tuple(int(part) for part in (library or "").split()[-1].split(".")[:2])
        return version >= (2, 35) and "[madvise]" in SWITCH.read_text()
    except (AttributeError, IndexError, OSError, ValueError):
        return False
