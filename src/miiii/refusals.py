"""Errors for unknown names and values, in one wording, with the nearest known name."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

LEAST_SIMILARITY = 0.65
"""Similarity (`difflib`'s ratio, without leading hyphens) from which a name is proposed. One wrong
letter of three is at 0.67, and so is `step` for `per_step`; `dir` and `log-dir` are at 0.6,
`restarts` and `runs-dir` at 0.4."""


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that is most similar to a name; None where none is similar enough."""
    bare = {each.lstrip("-"): each for each in known}
    found = difflib.get_close_matches(str(name).lstrip("-"), bare, n=1, cutoff=LEAST_SIMILARITY)
    return bare[found[0]] if found else None


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """The message for an unknown name: with the nearest known one, else with all of them."""
    near = nearest(name, known)
    hint = f"did you mean {near!r}?" if near else f"known are: {', '.join(sorted(known))}"
    return f"unknown {kind} {name!r}: {hint}"


def check_entries(
    record: Mapping[str, object], known: Sequence[str], *, optional: str = "", where: str = ""
) -> None:
    """Check that a record has every known entry but perhaps `optional`, and no other.

    Raises:
        ValueError: an entry is unknown or missing; the message names it and the table [where].
    """
    inside = f" in [{where}]" if where else ""
    for name in record:
        if name not in known:
            raise ValueError(unknown_name(f"entry{inside}", name, known))
    for name in known:
        if name not in record and name != optional:
            raise ValueError(f"entry {name!r} is missing{inside}")


def not_among(field: str, value: object, choices: Sequence[str]) -> str:
    """The message for a value that is none of a field's choices."""
    if not choices:
        return f"{field} is {value!r}: there is none"
    near = nearest(value, choices)
    hint = f" (did you mean {near!r}?)" if near else ""
    return f"{field} is {value!r}{hint}: it must be one of {', '.join(choices)}"


def is_refusal(error: ValueError) -> bool:
    """Whether miiii itself raised an error; a library's ValueError is a failure, not bad usage."""
    if any("JAX" in note for note in getattr(error, "__notes__", ())):
        return False  # JAX adds this note where it has removed its own frames from the traceback.
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised_in = trace.tb_frame.f_globals.get("__name__", "") if trace is not None else ""
    return str(raised_in).partition(".")[0] == "miiii"


def check_choice(field: str, value: object, choices: Sequence[str]) -> None:
    """Check that a value is one of a field's choices.

    Raises:
        ValueError: it is not; the message names field, value, nearest choice and all choices.
    """
    if value not in choices:
        raise ValueError(not_among(field, value, choices))


def check_moduli(field: str, moduli: Sequence[int]) -> None:
    """Refuse a modulus below 2, or one that a field has twice.

    Raises:
        ValueError: the message names field and modulus.
    """
    for modulus in moduli:
        if modulus < 2:
            raise ValueError(f"{field} has {modulus}: every modulus must be at least 2")
        if moduli.count(modulus) > 1:
            raise ValueError(f"{field} has {modulus} twice: each modulus may stand once")
