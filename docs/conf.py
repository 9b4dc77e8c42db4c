"""How Sphinx makes the documentation site; `make docs` calls it. Nothing here needs a network."""

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
suppress_warnings = ["toc.empty_glob"]

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
autodoc_default_options = {"members": True, "undoc-members": True, "show-inheritance": False}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
