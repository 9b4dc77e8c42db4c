"""Docstrings as they stand in the code, for Sphinx; and the directive `{modules}`.

The code's docstrings are plain text: |x| is an absolute value, a * is a product. To Sphinx these
are markup, so they are escaped on the way.
"""

import importlib
import pkgutil
import re

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_MARKUP = re.compile(r"(``.*?``|`[^`]*`)|([|*\\]|(?<=\w)_(?=\W|$))")

_FIELDS = ("attribute", "data", "property")
_KEPT: dict[str, list[str]] = {}


def escape(line: str) -> str:
    """A line whose signs mean themselves; what stands between backticks is code."""

    def one(match: re.Match[str]) -> str:
        code, sign = match.groups()
        if code is None:
            return "\\" + sign
        return code if code.startswith("``") else f"`{code}`"

    return _MARKUP.sub(one, line)


def _process(
    app: Sphinx, what: str, name: str, item: object, options: object, lines: list[str]
) -> None:
    """Escape a docstring in place, but for its code."""
    inside = False
    for index, line in enumerate(lines):
        # A literal block lasts until text stands at the margin again.
        if inside and line.strip() and not line.startswith("    "):
            inside = False
        if not inside and not line.lstrip().startswith((">>>", "...")):
            lines[index] = escape(line)
        inside = inside or line.rstrip().endswith("::")
    if what in _FIELDS:
        _KEPT[name] = list(lines)


def _restore(
    app: Sphinx, what: str, name: str, item: object, options: object, lines: list[str]
) -> None:
    """Undo what napoleon does to a field: it takes words before a colon for a type."""
    if what in _FIELDS:
        lines[:] = _KEPT.pop(name, lines)


class Modules(SphinxDirective):
    """`{modules} miiii.analysis`: every module of a package, a section each, by autodoc."""

    required_arguments = 1
    has_content = False

    def run(self) -> list[nodes.Node]:
        """The sections."""
        package = importlib.import_module(self.arguments[0])
        names = [info.name for info in pkgutil.iter_modules(package.__path__) if not info.ispkg]
        made: list[nodes.Node] = []
        for short in names:
            name = f"{package.__name__}.{short}"
            section = nodes.section(ids=[name.replace(".", "-")], names=[name])
            section += nodes.title("", name)
            text = StringList([f".. automodule:: {name}"], source=name)
            self.state.nested_parse(text, 0, section, match_titles=True)
            made.append(section)
        return made


def setup(app: Sphinx) -> dict[str, bool]:
    """Make them known; napoleon, which reads the sections, comes between the two hooks."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    app.connect("autodoc-process-docstring", _restore, priority=900)
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True}
