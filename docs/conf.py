"""How Sphinx makes the documentation site; `make docs` calls it. Nothing here needs a network."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

from miiii import __version__  # noqa: E402

project = "miiii"
author = "The miiii authors"
copyright = "the miiii authors, MIT licence"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_line",
    "docstrings",
    "ledgers",
]
exclude_patterns = ["build", "extensions"]

html_theme = "furo"
html_title = "miiii"
html_static_path = ["static"]
html_css_files = ["miiii.css"]
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {
        "font-stack": "system-ui, sans-serif",
        "color-brand-primary": "#3b2f8f",
        "color-brand-content": "#3b2f8f",
    },
    "dark_css_variables": {"color-brand-primary": "#b7adff", "color-brand-content": "#b7adff"},
}

myst_enable_extensions = ["deflist", "attrs_inline"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False


def only_pages_that_are_there(app, name, source):
    """Take patterns of the front page's toctree that match no page out of it."""
    if name == "index":
        patterns = re.findall(r"^[a-z]+\*$", source[0], re.MULTILINE)
        for pattern in patterns:
            if not list(HERE.glob(f"{pattern}.md")):
                source[0] = source[0].replace(f"\n{pattern}\n", "\n")


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", only_pages_that_are_there)
