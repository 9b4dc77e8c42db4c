"""Pages from Jinja's templates: text is escaped, and a name that is missing is an error."""

from typing import Any

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined


def environment(loader: BaseLoader) -> Environment:
    """Jinja as every page of this package uses it."""
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
