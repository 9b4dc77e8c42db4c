"""Pages from Jinja's templates, with escaped text and errors for undefined names."""

from typing import Any

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined


def environment(loader: BaseLoader) -> Environment:
    """The Jinja environment of all pages of this package."""
    return Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def render(template: str, **parts: Any) -> str:
    """A page from a template of this room."""
    templates = environment(PackageLoader("miiii.report", "templates"))
    return templates.get_template(template).render(**parts)
