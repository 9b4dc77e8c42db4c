"""Numbers as people read them."""

import numpy as np
import pytest

from miiii.runs.text import clock, percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100.0 %"),
        (0.99999994, "100.0 %"),
        (12768 / 12769, "99.9 %"),
        (0.29, "29.0 %"),
        (0.0, "0.0 %"),
        (float("nan"), "-"),
        (None, "-"),
        ("0.5", "-"),
        (np.float32(0.99999994), "100.0 %"),
    ],
)
def test_a_share_is_never_rounded_up_to_perfect(share, text):
    assert percent(share) == text


def test_clock():
    assert [clock(s) for s in (0, 61.4, 3723, None)] == ["0:00", "1:01", "1:02:03", "-:--"]
