"""The study's file: read back as written, taken further, and refused when it is spoilt."""

import dataclasses

import pytest

from miiii import RunError, replace_fields, to_toml
from miiii.runs.directory import RunDirectory
from miiii.runs.errors import DamagedFileError, RunLockedError, RunNotFoundError
from miiii.runs.jsonfiles import encode_json
from miiii.studies import study as study_module
from miiii.studies.plan import PlannedRun, plan
from miiii.studies.study import (
    FILE_NAME,
    Study,
    StudyDiffersError,
    default_name,
    join_study,
    open_study,
    study_names,
)
from wording import naming


@pytest.fixture
def study(tmp_path) -> Study:
    found = join_study(plan("small", only=["C5", "waves"]), "a", tmp_path)
    found.save()
    return found


def test_a_study_is_read_back_as_it_was_written(study, tmp_path):
    assert open_study("a", tmp_path) == study
    assert open_study(study.path, tmp_path / "elsewhere") == study
    assert study_names(tmp_path) == ["a"]
    text = (study.path / FILE_NAME).read_text()
    for run in study.plan.runs:
        assert run.name in text
    assert str(tmp_path) not in text


def test_the_whole_plan_survives_the_file(tmp_path):
    for preset in ("mini", "small", "tiny"):
        made = plan("small", preset)
        join_study(made, preset, tmp_path).save()
        assert open_study(preset, tmp_path).plan == made


def test_names_say_scale_and_preset_where_there_is_a_choice():
    assert default_name(plan("small")) == "small"
    assert default_name(plan("small", "tiny")) == "small-tiny"
    assert default_name(plan("medium")) == "medium"
    assert default_name(plan("paper", "reference")) == "paper-reference"


def test_the_same_plan_changes_nothing(study, tmp_path):
    before = (study.path / FILE_NAME).read_bytes()
    again = join_study(plan("small", only=["C5", "waves"]), "a", tmp_path)
    again.save()
    assert again == study
    assert (study.path / FILE_NAME).read_bytes() == before


def test_another_plan_adds_experiments_and_seeds_and_takes_none_away(study, tmp_path):
    more = join_study(plan("small", seeds=3, only=["C16"]), "a", tmp_path)
    assert list(more.plan.configs) == ["miiii", "no-dropout", "masked", "waves"]
    assert more.plan.seeds == {
        "miiii": (0, 1, 2),
        "no-dropout": (0, 1),
        "masked": (0, 1, 2),
        "waves": (0,),
    }
    assert open_study("a", tmp_path) == study, "nothing is written before save"


def test_other_settings_are_refused_and_named(study, tmp_path):
    made = plan("small", only=["C5"])
    base = replace_fields(made.base, learning_rate=0.5)
    with pytest.raises(StudyDiffersError, match=naming("T_miiii learning_rate 0.02 0.5")):
        join_study(dataclasses.replace(made, base=base), "a", tmp_path)
    configs = {**made.configs}
    configs["no-dropout"] = replace_fields(configs["no-dropout"], epochs=7)
    with pytest.raises(StudyDiffersError, match=naming("no-dropout epochs 800 7")):
        join_study(dataclasses.replace(made, configs=configs), "a", tmp_path)
    with pytest.raises(StudyDiffersError, match=naming("preset mini tiny")):
        join_study(plan("small", "tiny"), "a", tmp_path)
    assert open_study("a", tmp_path) == study


def test_how_often_it_saves_is_no_setting_of_a_study(study, tmp_path):
    made = plan("small", only=["C5"])
    base = replace_fields(made.base, checkpoint_seconds=1.0)
    assert join_study(dataclasses.replace(made, base=base), "a", tmp_path).plan.base == made.base


def test_a_study_that_is_not_there_is_refused_with_the_nearest_name(study, tmp_path):
    join_study(plan("small"), "paper-fast", tmp_path).save()
    with pytest.raises(RunNotFoundError, match=naming("'paper-fest' 'paper-fast'")):
        open_study("paper-fest", tmp_path)
    with pytest.raises(RunNotFoundError, match=naming("miiii reproduce")):
        open_study("a", tmp_path / "empty")
    with pytest.raises(RunError, match="a/b"):
        join_study(plan("small"), "a/b", tmp_path)


SPOILT = {
    "truncated": (lambda text: text[: len(text) // 3], r"missing|TOML"),
    "not TOML": (lambda text: "{" + text, r"not valid TOML"),
    "another format": (
        lambda text: text.replace("format = 1", "format = 2"),
        r"format is 2.*reads 1",
    ),
    "no scale": (lambda text: text.replace('scale = "small"\n', ""), r"'scale' is missing"),
    "a word too much": (lambda text: "presett = 1\n" + text, r"'presett': did you mean 'preset'"),
    "text for a number": (
        lambda text: text.replace("width = 128", 'width = "wide"'),
        r"settings: width is 'wide': it must be a whole number",
    ),
    "an unknown field": (
        lambda text: text.replace("dropout = 0.0", "dropuot = 0.0"),
        r"experiments.no-dropout.changes: .*'dropuot'.*'dropout'",
    ),
    "out of limits": (
        lambda text: text.replace("dropout = 0.0", "dropout = 1.5"),
        r"dropout is 1.5",
    ),
    "seeds that descend": (
        lambda text: text.replace("0,\n    1,", "1,\n    0,"),
        r"seeds is \[1, 0\]",
    ),
    "a run too few": (
        lambda text: text.replace('    "miiii-seed1",\n', ""),
        r"experiments.miiii.runs is \['miiii-seed0'\]: .* must be \['miiii-seed0', 'miiii-seed1'\]",
    ),
    "an experiment outside": (
        lambda text: text.replace("[experiments.miiii", '[experiments."../x"'),
        r"TOML|'\.\./x'",
    ),
    "nothing": (lambda text: "", r"format is None"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_file_is_refused_on_one_line(study, tmp_path, how):
    spoil, pattern = SPOILT[how]
    file = study.path / FILE_NAME
    before = file.read_text()
    file.write_text(spoil(before))
    assert file.read_text() != before
    for use in (
        lambda: open_study("a", tmp_path),
        lambda: join_study(plan("small"), "a", tmp_path),
    ):
        with pytest.raises(DamagedFileError, match=pattern) as refusal:
            use()
        assert str(file) in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_bytes_that_are_no_text_are_refused(study, tmp_path):
    (study.path / FILE_NAME).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DamagedFileError, match="UTF-8"):
        open_study("a", tmp_path)


def put(study: Study, run: PlannedRun, status: dict, **changes) -> RunDirectory:
    """A run directory as training would have left it, without its weights."""
    config = replace_fields(run.config, **changes)
    files = {"config.toml": to_toml(config).encode(), "status.json": encode_json(status)}
    files["provenance.json"] = encode_json({})
    return RunDirectory.create(study.runs_dir, run.name, files=files)


def test_states_are_those_of_the_directories(study):
    one, two, three, four, *_ = study.plan.runs
    put(study, one, {"state": "finished", "epoch": one.config.training.epochs})
    put(study, two, {"state": "running", "epoch": 12})
    put(study, three, {"state": "failed", "epoch": 3, "problem": "x"})
    states = [study.state(run) for run in study.plan.runs]
    assert states == ["finished", "unfinished", "failed", "missing", "missing"]
    assert study.missing() == list(study.plan.runs[3:])
    put(study, four, {"state": "created", "epoch": 0})
    assert study.state(four) == "unfinished"
    runs = study.runs()
    assert {key: [run.name for run in group] for key, group in runs.items()} == {
        "miiii": ["miiii-seed0", "miiii-seed1"],
        "no-dropout": ["no-dropout-seed0"],
    }
    assert runs["miiii"][1].config == two.config


def test_a_run_of_other_settings_is_refused_by_name(study):
    run = study.plan.runs[0]
    put(study, run, {"state": "finished", "epoch": 800}, dropout=0.3)
    for use in (lambda: study.state(run), study.runs):
        with pytest.raises(StudyDiffersError, match=naming("miiii-seed0 dropout 0.3 0.1")):
            use()


def test_a_run_that_cannot_be_read_is_refused_by_name(study):
    run = study.plan.runs[0]
    directory = put(study, run, {"state": "finished", "epoch": 800})
    (directory.path / "status.json").write_text("{")
    with pytest.raises(DamagedFileError, match=naming("miiii-seed0 delete")):
        study.state(run)
    (directory.path / "config.toml").write_text("{")
    with pytest.raises(DamagedFileError, match=r"config.toml"):
        study.state(run)


def test_one_process_at_a_time_changes_a_study(study, monkeypatch):
    monkeypatch.setattr(study_module, "LOCKED_SECONDS", 0.1)
    with (
        study.lock(),
        pytest.raises(RunLockedError, match=naming("/a use process")),
        study.lock(),
    ):
        pass
