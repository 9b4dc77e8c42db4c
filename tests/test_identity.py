"""What a run's files are known by, and that it outlives new settings."""

from miiii.config import replace_fields
from miiii.presets import PRESETS, get_preset
from miiii.recorder import identity


def test_runs_saved_before_a_setting_existed_are_still_known():
    # As written into the checkpoints of these presets by the first version.
    assert identity(replace_fields(get_preset("small"), task="basis")) == "ee1137e2d33b4840"
    nanda = replace_fields(get_preset("nanda"), base=59, learning_rate=3e-3)
    assert identity(nanda) == "a41e11ed281c8e34"


def test_a_later_setting_counts_once_it_is_used():
    config = get_preset("small")
    assert identity(replace_fields(config, optimiser="muon")) != identity(config)


def test_every_preset_and_field_has_an_identity_of_its_own():
    identities = [identity(preset.config) for preset in PRESETS.values()]
    assert len(set(identities)) == len(PRESETS)
    config = get_preset("small")
    changes = [{"seed": 1}, {"learning_rate": 1e-3}, {"dropout": 0.0}, {"width": 64}]
    changed = [identity(replace_fields(config, **change)) for change in changes]
    assert len({identity(config), *changed}) == 1 + len(changes)


def test_a_longer_run_keeps_its_identity():
    config = get_preset("small")
    assert identity(replace_fields(config, epochs=9999)) == identity(config)
