"""The directive `{commands}`: what every command of `miiii` says of itself, asked when built.

One section per entry of `miiii.cli.main.COMMANDS`, with the output of its own `--help` and that of
its subcommands, where its help lists some.
"""

import os
import re
import subprocess
import sys

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from miiii.cli.main import COMMANDS

_SUBCOMMAND = re.compile(r"^  (?:miiii )?([a-z][a-z-]*)  +\S", re.MULTILINE)


def help_text(*words: str) -> str:
    """What `miiii WORDS --help` prints, 88 columns wide and without colours.

    Raises:
        RuntimeError: the command refuses, so that the documentation is not built.
    """
    environment = {**os.environ, "COLUMNS": "88", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "miiii", *words, "--help"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"miiii {' '.join(words)} --help: {done.stderr or done.stdout}")
    return done.stdout.rstrip()


def subcommands(text: str) -> list[str]:
    """The names that a help text lists under "commands:" or "actions:", as the overview does."""
    _, found, after = text.replace("actions:\n", "commands:\n").partition("commands:\n")
    return _SUBCOMMAND.findall(after.split("\n\n")[0] + "\n") if found else []


class Commands(SphinxDirective):
    """A section per command."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        made: list[nodes.Node] = [nodes.literal_block("", help_text(), language="text")]
        for name in COMMANDS:
            text = help_text(name)
            section = self._section(f"miiii {name}", text)
            for inner in subcommands(text):
                section += self._section(f"miiii {name} {inner}", help_text(name, inner))
            made.append(section)
        return made

    def _section(self, title: str, text: str) -> nodes.section:
        section = nodes.section(ids=[title.replace(" ", "-")], names=[title])
        section += nodes.title("", title)
        section += nodes.literal_block("", text, language="text")
        self.state.document.note_explicit_target(section)
        return section


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
