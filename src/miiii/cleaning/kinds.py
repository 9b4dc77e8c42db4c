"""The kinds of files that can be deleted, and what their deletion costs."""

from dataclasses import dataclass

from miiii.refusals import unknown_name


@dataclass(frozen=True)
class Kind:
    """One kind of files."""

    name: str
    description: str
    afterwards: str
    """How to get the files back, or what is no longer possible."""
    remade: bool
    """Whether a command can make them again. If not, they are deleted only if a user names them."""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("temporary", "files that a killed process left half-written", "nothing is lost", True),
        Kind(
            "figures",
            "pictures and pages in runs and studies",
            "miiii figures, circuits and report draw them again",
            True,
        ),
        Kind(
            "analysis",
            "measurements, spectra and certificates",
            "miiii ledger and certify compute them again",
            True,
        ),
        Kind("compiled", "all projects' compiled programs", "the next run compiles them", True),
        Kind(
            "checkpoints",
            "states to resume finished runs from",
            "their weights stay; such a run cannot be made longer",
            False,
        ),
        Kind("damaged", "checkpoints set aside as unusable", "they are gone", False),
        Kind("failed", "runs that met a number that is not finite", "they are gone", False),
        Kind("replaced", "runs that --force moved aside", "they are gone", False),
    )
}


def chosen_kinds(names: tuple[str, ...]) -> tuple[Kind, ...]:
    """The kinds with these names, in the order of `KINDS`; all kinds if no name is given.

    Raises:
        ValueError: a name is unknown; the message gives the nearest.
    """
    for name in names:
        if name not in KINDS:
            raise ValueError(unknown_name("kind", name, list(KINDS)))
    return tuple(kind for kind in KINDS.values() if not names or kind.name in names)
