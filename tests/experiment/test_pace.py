"""How many epochs a dispatch makes: half a second of fast epochs, four of slow ones."""

import pytest

from miiii.experiment.pace import Pace


@pytest.mark.parametrize(
    ("seconds_per_epoch", "expected"),
    [(0.001, 500), (0.1, 5), (0.25, 4), (0.45, 4), (0.9, 2), (1.5, 1), (30.0, 1)],
)
def test_a_dispatch_of_slow_epochs_makes_four_within_two_seconds(seconds_per_epoch, expected):
    pace = Pace()
    for _ in range(12):
        count = pace.epochs(1024)
        pace.took(count, count * seconds_per_epoch)
    assert pace.epochs(1024) == expected
    assert pace.epochs(3) == min(expected, 3)


def test_one_fast_dispatch_at_most_doubles_the_next():
    pace = Pace()
    pace.took(pace.epochs(1024), 1e-6)
    assert pace.epochs(1024) == 2
