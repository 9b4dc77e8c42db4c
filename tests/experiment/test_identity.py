"""What a run's files are known by, and that it outlives new settings."""

from miiii import PRESETS, Config, from_toml, get_preset, replace_fields, to_toml
from miiii.config.config import field_sections
from miiii.experiment.members import LATER_FIELDS, NO_STOPPING, identity


def test_runs_saved_before_a_setting_existed_are_still_known():
    # As written into the checkpoints of these presets by the first version.
    assert identity(replace_fields(get_preset("small"), task="basis")) == "ee1137e2d33b4840"
    nanda = replace_fields(get_preset("nanda"), base=59, learning_rate=3e-3)
    assert identity(nanda) == "a41e11ed281c8e34"


def test_a_later_setting_counts_once_it_is_used():
    config = get_preset("small")
    custom = {"task": "custom", "moduli": (2, 3), "labels": "0123456789abcdef"}
    changes = [
        {"optimiser": "muon"},
        {"filter": "ema_on_tasks", "filter_tasks": (2, 3)},
        {"filter": "ema_on_tasks", "filter_tasks": (2, 5)},
        {"filter": "ema_on_random", "filter_tasks": (2, 5)},
        {"orthogonal_gradient": True},
        {"normaliser": "stablemax"},
        {"label_smoothing": 0.1},
        {"label_smoothing": 0.1, "label_smoothing_epochs": 9},
        {"large_task_power": 3.0},
        {"large_task_power": 3.0, "large_task_classes": 23},
        {"large_task_power": 3.0, "large_task_epoch": 9},
        {"minibatches": 2},
        {"average_weights": 0.98},
        {"average_weights": 0.99},
        {"restarts": 2},
        {"restarts": 2, "restart_epochs": 900},
        {"restarts": 2, "restart_height": 0.7},
        {"mlp_bias": True},
        {"init_scale": 2.0},
        {"init_scale": 0.5},
        {"activation": "gelu"},
        {"activation": "tanh"},
        {"answer_token": False},
        {"attention_mask": "full"},
        {"attention_coefficient": 0.0},
        {"attention_coefficient": 0.5},
        {"digit_tokens": "separate"},
        {"origin": "0123456789abcdef"},
        custom | {"classes": (2, 3)},
        custom | {"classes": (2, 4)},
        {"task": "nanda", "moduli": (), "split": "pairs"},
        custom | {"classes": (2, 3), "unanswered": 2},
        custom | {"classes": (2, 3), "labels": "0123456789abcdee"},
    ]
    found = [identity(replace_fields(config, **change)) for change in changes]
    assert len({identity(config), *found}) == 1 + len(changes)
    used = {name for change in changes for name in change} - {"filter", "task", "moduli"}
    assert set(LATER_FIELDS) == used | set(NO_STOPPING)


def test_what_older_runs_did_is_the_default():
    sections = field_sections()
    for name, value in LATER_FIELDS.items():
        assert getattr(getattr(Config(), sections[name]), name) == value
    text = to_toml(get_preset("small"))
    older = "\n".join(
        line for line in text.splitlines() if line.split(" = ")[0] not in LATER_FIELDS
    )
    assert len(older.splitlines()) == len(text.splitlines()) - len(LATER_FIELDS)
    assert from_toml(older) == get_preset("small")


def test_every_preset_and_field_has_an_identity_of_its_own():
    identities = {name: identity(preset.config) for name, preset in PRESETS.items()}
    # Ten times as long is the same run, continued.
    assert identities.pop("mini-tenfold") == identities["mini"]
    assert len(set(identities.values())) == len(PRESETS) - 1
    config = get_preset("small")
    changes = [{"seed": 1}, {"learning_rate": 1e-3}, {"dropout": 0.0}, {"width": 64}]
    changed = [identity(replace_fields(config, **change)) for change in changes]
    assert len({identity(config), *changed}) == 1 + len(changes)


def test_a_longer_run_keeps_its_identity():
    config = get_preset("small")
    assert identity(replace_fields(config, epochs=9999)) == identity(config)


def test_a_stopping_rule_decides_no_number_and_keeps_the_identity():
    config = get_preset("small")
    stopping = replace_fields(config, stop_when=0.99, stop_after=500)
    assert identity(stopping) == identity(config)
