"""The paper's search space against the words of its Table 1, and spaces that are refused."""

import numpy as np
import pytest

from miiii import Config, get_preset, replace_fields
from miiii.sweeps.search.pruning import Falling
from miiii.sweeps.search.spaces import TABLE_1, TABLE_2, Dimension, SearchSpace
from wording import naming


def test_table_1_is_the_paper_s():
    assert TABLE_1.size == 4 * 3 * 4 * 2 * 2 * 2 == 384
    assert list(TABLE_1.symbols.values()) == ["dropout", "λ", "wd", "d", "lr", "heads"]
    assert TABLE_1.values["dropout"] == (0, 1 / 2, 1 / 5, 1 / 10)
    assert TABLE_1.values["filter_strength"] == (0, 1 / 2, 2)
    assert TABLE_1.values["weight_decay"] == (0, 1 / 10, 1 / 2, 1)
    assert TABLE_1.values["width"] == (128, 256)
    assert TABLE_1.values["learning_rate"] == (3e-4, 1e-4)
    assert TABLE_1.values["heads"] == (4, 8)


def test_every_point_is_a_configuration_and_there_once():
    points = list(TABLE_1.points())
    assert len(points) == len({tuple(point.values()) for point in points}) == TABLE_1.size
    assert points[0] == {name: values[0] for name, values in TABLE_1.values.items()}
    assert points[1]["heads"] == 8
    for point in points:
        config = replace_fields(Config(), **point)
        assert TABLE_1.read(config) == point
        assert TABLE_1.outside(point) == ()


def test_table_2_lies_outside_table_1_by_its_weight_decay_alone():
    assert TABLE_1.read(get_preset("paper")) == TABLE_2
    assert TABLE_1.outside(TABLE_2) == ("weight_decay",)
    assert TABLE_1.outside({**TABLE_2, "weight_decay": 0.5}) == ()
    assert TABLE_1.outside({**TABLE_2, "width": 64}) == ("weight_decay", "width")


@pytest.mark.parametrize(
    ("dimensions", "line"),
    [
        ((), "dimensions empty"),
        ((Dimension("widht", "d", (1,)),), "unknown field 'widht' 'width'"),
        ((Dimension("width", "d", (1,)),) * 2, "'width' twice"),
        ((Dimension("width", "d", ()),), "values 'width' ()"),
        ((Dimension("width", "d", (8, 4, 8)),), "(8,4,8)"),
    ],
)
def test_spaces_that_make_no_sense_are_refused(dimensions, line):
    with pytest.raises(ValueError, match=naming(line)):
        SearchSpace(dimensions)


def test_settings_that_lack_a_field_are_refused():
    with pytest.raises(ValueError, match=naming("settings width,heads dropout")):
        TABLE_1.outside({k: v for k, v in TABLE_2.items() if k not in ("width", "heads")})


def test_losses_that_jump_about_without_falling_are_stuck():
    noise = np.random.default_rng(0)
    flat, falling = Falling(1000), Falling(1000)
    flat.add([1.0, *(1 + 0.1 * noise.standard_normal(248))])
    assert not flat.is_stuck  # too early to say
    flat.add(1 + 0.1 * noise.standard_normal(20))
    assert flat.is_stuck
    falling.add([1.0, *(np.linspace(1, 0.6, 260) + 0.1 * noise.standard_normal(260))])
    assert not falling.is_stuck
    assert not Falling(10).is_stuck
