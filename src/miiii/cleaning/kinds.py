"""The kinds of things that could go, and what each would cost."""

from dataclasses import dataclass

from miiii.refusals import unknown_name


@dataclass(frozen=True)
class Kind:
    """One kind."""

    name: str
    what: str
    """In a few words."""
    afterwards: str
    """What getting it back takes, or what cannot be done any more."""
    remade: bool
    """Whether a command makes it again from what stays. Otherwise it goes only if it is named."""


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
        Kind(
            "compiled",
            "every project's compiled programs",
            "the next run compiles them again",
            True,
        ),
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
    """Kinds by name, in their own order; none named: all.

    Raises:
        ValueError: there is no such kind; the nearest is given.
    """
    for name in names:
        if name not in KINDS:
            raise ValueError(unknown_name("kind", name, list(KINDS)))
    return tuple(kind for kind in KINDS.values() if not names or kind.name in names)
