"""A name that is not known: the nearest is proposed, and nothing where none is near."""

import pytest

from miiii.refusals import check_choice, nearest, not_among, unknown_name
from wording import naming, says

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
    assert says(unknown_name("preset", "qqq", ["tiny", "mini"]), "preset 'qqq' mini,tiny")
    near = unknown_name("preset", "tinny", ["tiny", "mini"])
    assert says(near, "preset 'tinny' 'tiny'")
    assert "mini" not in near


def test_a_choice_is_refused_with_field_value_and_choices():
    check_choice("activation", "relu", ("relu", "gelu"))
    with pytest.raises(ValueError, match=naming("activation 'gelo' 'gelu' relu,gelu")):
        check_choice("activation", "gelo", ("relu", "gelu"))
    assert says(not_among("layer", "x", []), "layer 'x' none")
