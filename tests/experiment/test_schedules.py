"""A run that is made longer says what of its schedules is over."""

import math

import pytest

import miiii
from miiii.cli.main import run as command
from miiii.experiment.progress import Silent
from miiii.experiment.schedules import longer_notes, rate_factor
from wording import says

CONFIG = miiii.replace_fields(
    miiii.get_preset("tiny"), base=7, width=8, heads=2, epochs=10, snapshots=2, learning_rate=3e-3
)
DECAY = {"decay_start": 2, "decay_epochs": 6, "decay_floor": 0.01}


class Warned(Silent):
    def __init__(self):
        self.lines = []

    def warned(self, message):
        self.lines.append(message)


def test_the_share_and_the_rate_after_a_decay_are_said_on_resuming_and_shown(tmp_path, capsys):
    config = miiii.replace_fields(CONFIG, **DECAY, label_smoothing=0.1, label_smoothing_epochs=8)
    miiii.start([config], ["m"], tmp_path)
    progress = Warned()
    miiii.resume("m", tmp_path, epochs=14, progress=progress)
    rate, smoothing = progress.lines
    assert "3e-05, 1 % of learning_rate" in rate
    assert says(rate, "decay epoch 8")
    assert "--restarts" in rate
    assert "label smoothing" in smoothing
    assert command(["show", "m", "--runs-dir", str(tmp_path)]) == 0
    assert says(capsys.readouterr().out, "epoch 14 3e-05 1 % learning_rate")
    with pytest.warns(miiii.RunWarning) as told:  # by a script, without a progress of its own
        miiii.resume("m", tmp_path, epochs=15)
    assert any("1 % of learning_rate" in str(each.message) for each in told)
    assert {each.filename for each in told} == {__file__}
    # Nothing is said of a run that only goes on to its end.
    again = Warned()
    miiii.resume("m", tmp_path, epochs=15, progress=again)
    assert again.lines == []


def test_a_constant_rate_needs_no_note():
    assert longer_notes(CONFIG, 10, 20) == []
    warm = miiii.replace_fields(CONFIG, warmup_epochs=5)
    assert longer_notes(warm, 10, 20) == []


@pytest.mark.parametrize(
    ("changes", "done", "expected"),
    [
        ({"decay_start": 15, "decay_epochs": 100}, 10, "0.003 epoch 20"),
        (DECAY | {"restarts": 2, "restart_epochs": 4}, 16, "restart epoch 16"),
        (DECAY | {"restarts": 2, "restart_epochs": 9}, 10, "0.00113 epoch 20"),
        ({"warmup_epochs": 40}, 10, "0.000825 0.0015 epoch 20"),
        ({"warmup_epochs": 15}, 10, "0.003 epoch 20 configured"),  # it only rises
    ],
)
def test_every_schedule_is_told(changes, done, expected):
    config = miiii.replace_fields(CONFIG, **changes)
    (note,) = longer_notes(config, done, 20)
    assert says(note, expected)


def test_the_share_is_the_cosine_that_the_settings_name():
    config = miiii.replace_fields(CONFIG, **DECAY)
    expected = 0.01 + 0.99 * (1 + math.cos(math.pi * 3 / 6)) / 2
    assert rate_factor(config, 5) == pytest.approx(expected, rel=1e-6)


def test_a_training_loss_of_exactly_zero_is_said(tmp_path, capsys):
    miiii.start([CONFIG], ["z"], tmp_path)
    directory = miiii.load_run("z", tmp_path).directory
    rows = directory.history()
    words = ["show", "z", "--runs-dir", str(tmp_path)]
    assert command(words) == 0
    assert "exactly 0" not in capsys.readouterr().out
    rows["train_loss"][[3, 6, 7, 8, 9]] = 0  # epochs 4 and 7 to 10
    directory.truncate_history(0)
    directory.append_history(1, 10, rows)
    assert command(words) == 0
    assert says(capsys.readouterr().out, "training loss 0 epoch 7")
