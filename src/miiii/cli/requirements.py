"""Comparison of installed packages with the requirements in this package's metadata."""

from importlib import metadata

EXTRAS = ("sweep", "slurm", "interop", "track")
"""Extras whose packages may be missing, but must be recent enough if they are installed."""


def unmet_requirements(package: str = "miiii") -> list[str]:
    """A line for every requirement that is not met, with the command that installs it."""
    from packaging.requirements import Requirement

    found = []
    for text in dict.fromkeys(metadata.requires(package) or ()):
        requirement = Requirement(text)
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        extras = EXTRAS if requirement.marker is not None else ()
        optional = any(requirement.marker.evaluate({"extra": each}) for each in extras)  # pyright: ignore[reportOptionalMemberAccess]
        if not needed and not optional:
            continue
        wanted = f"{requirement.name}{requirement.specifier}"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            if needed:
                found.append(f"{requirement.name} is missing (pip install '{wanted}')")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{requirement.name} is {version} (pip install '{wanted}')")
    return list(dict.fromkeys(found))
