"""Parsing of command-line words into a dataclass with tyro, with one-line errors."""

import contextlib
import dataclasses
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, get_type_hints

import tyro

from miiii.refusals import nearest, not_among

Arguments = TypeVar("Arguments")


class UsageError(ValueError):
    """Words that cannot be parsed or are refused; the message is one line."""


def parse(kind: type[Arguments], words: Sequence[str], prog: str, **options: Any) -> Arguments:
    """Parse words into a dataclass; `--help` prints and exits 0.

    Args:
        kind: the dataclass; each field's docstring is its help.
        words: the command line without the command's name.
        prog: the command's name in the help.
        options: passed to `tyro.cli` (default, description).

    Raises:
        UsageError: an unknown option (the nearest is given), a missing or a bad value.
    """
    if not {"-h", "--help"} & set(words):
        _refuse_unknown_options(kind, words)
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            return tyro.cli(kind, args=list(words), prog=prog, **options)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UsageError(_one_line(captured.getvalue())) from None


def option_names(kind: Any) -> list[str]:
    """Every option of a dataclass as typed, without the prefix of a nested one: --train-fraction.

    `option` in a field's metadata is another spelling, or None for a positional argument.
    """
    return [name for name, _ in typed_options(kind) if name]


def typed_options(kind: Any) -> Iterator[tuple[str | None, Any]]:
    """Every option as in `option_names`, None for a positional argument, with its type."""
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        hint = hints[item.name]
        if dataclasses.is_dataclass(hint):
            yield from typed_options(hint)
        else:
            yield item.metadata.get("option", "--" + item.name.replace("_", "-")), hint


def _refuse_unknown_options(kind: Any, words: Sequence[str]) -> None:
    known = [*option_names(kind), "--help"]
    known += ["--no-" + name[2:] for name in known]
    for word in words:
        name = word.split("=")[0].replace("_", "-")
        if word.startswith("--") and len(word) > 2 and name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near!r}?" if near else "--help lists all"
            raise UsageError(f"unknown option {name!r}: {hint}")


_CHOICE = re.compile(r"invalid choice '(.*?)' for argument '(.*?)'\. Expected one of \((.*?)\)")
_NUMBER = re.compile(r"(--[\w-]+): (?:invalid literal for int\(\).*: |could not convert .*: )(.+)")
_UNPARSED = re.compile(r"Error parsing (--[\w-]+): .*arguments: \[(.*)\]")


def _one_line(box: str) -> str:
    """The message in tyro's frame, up to the first rule, in the wording of this package."""
    lines: list[str] = []
    for line in box.splitlines()[1:]:
        # Without UTF-8 the frame consists of |, + and -, with a rule under the title too.
        text = line.strip("│╭╰╮╯|+ ")
        is_rule = len(text) > 2 and set(text) <= {"─", "-"}
        if is_rule and lines:
            break
        if text and not is_rule:
            lines.append(text)
    message = " ".join(lines) or "the options were not understood"
    if choice := _CHOICE.search(message):
        value, name, listed = choice.groups()
        return not_among(name, value, re.findall(r"'([^']+)'", listed))
    if number := _NUMBER.search(message):
        kind = "a whole number" if "int()" in message else "a number"
        return f"{number[1]} is {number[2]}: it must be {kind}"
    if unparsed := _UNPARSED.search(message):
        return f"{unparsed[1]} has {unparsed[2]}: it must be whole numbers"
    if optional := re.match(r"Error parsing (--[\w-]+): no type .*INT.* from \['(.*)'\]", message):
        return f"{optional[1]} is {optional[2]!r}: it must be a whole number"
    if missing := re.match(r"Missing from (.*?): (?:STR|PATH) (.*?) \(required\)", message):
        return f"{missing[1]} needs an argument: {missing[2].rstrip('.').lower()}"
    return re.sub(r"^Error parsing (config\.?\w*|[\w.]+): ", "", message)


def peek(words: Sequence[str], option: str) -> str | None:
    """The value of an option in words that are not parsed yet; None if it is not given."""
    for index, word in enumerate(words):
        if word == option and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(option + "="):
            return word.split("=", 1)[1]
    return None
