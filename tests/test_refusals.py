"""A name that is not known: the nearest is proposed, and nothing where none is near."""

import pytest

from miiii.refusals import check_choice, nearest, not_among, unknown_name

OPTIONS = ["--runs-dir", "--width", "--force", "--learning-rate", "--log-dir", "--name"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("--widht", "--width"),
        ("--learning-rat", "--learning-rate"),
        ("width", "--width"),
        ("--learnig-rates", "--learning-rate"),
        # Users met these as proposals, and none helped.
        ("--restarts", None),
        ("--dir", None),
        ("--grid", None),
        ("--from", None),
        ("", None),
    ],
)
def test_only_what_is_alike_is_proposed(name, expected):
    assert nearest(name, OPTIONS) == expected


def test_without_a_near_name_all_are_listed():
    assert unknown_name("preset", "qqq", ["tiny", "mini"]) == (
        "unknown preset 'qqq': known are: mini, tiny"
    )
    assert unknown_name("preset", "tinny", ["tiny", "mini"]) == (
        "unknown preset 'tinny': did you mean 'tiny'?"
    )


def test_a_choice_is_refused_with_field_value_and_choices():
    check_choice("activation", "relu", ("relu", "gelu"))
    with pytest.raises(ValueError, match=r"activation is .gelo.*.gelu.*one of relu, gelu"):
        check_choice("activation", "gelo", ("relu", "gelu"))
    assert not_among("layer", "x", []) == "layer is 'x': there is none"
