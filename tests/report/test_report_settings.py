"""What the report says a study was made with."""

import shlex
from dataclasses import replace
from types import SimpleNamespace

import pytest

from miiii import replace_fields
from miiii.cli.arguments import parse
from miiii.cli.commands.reproduce import ReproduceArguments
from miiii.report.page.settings import command_of, study_settings, value_text
from miiii.studies.plan import plan
from miiii.studies.study import default_name


@pytest.mark.parametrize(
    ("scale", "preset", "seeds", "only", "name"),
    [
        ("small", None, None, (), "small"),
        ("small", None, None, (), "a name"),
        ("small", "small", 3, (), "small-small"),
        ("small", "tiny", 1, ("C4",), "one"),
        ("paper", "reference", None, ("nanda", "miiii"), "paper-reference"),
    ],
)
def test_the_command_plans_the_same_study(scale, preset, seeds, only, name):
    wanted = plan(scale, preset, seeds, only)
    program, command, *words = shlex.split(command_of(wanted, name))
    assert (program, command) == ("miiii", "reproduce")
    arguments = parse(ReproduceArguments, words, "miiii reproduce")
    again = plan(
        arguments.scale,
        arguments.preset or None,
        arguments.seeds,
        [part for part in arguments.only.split(",") if part],
    )
    assert again == wanted
    assert (arguments.name or default_name(again)) == name


def test_a_study_that_no_command_plans_has_none():
    wanted = plan("small")
    assert command_of(replace(wanted, base=replace_fields(wanted.base, width=64)), "other") == ""
    uneven = {**wanted.seeds, "miiii": (0, 1, 2, 3, 4)}
    assert command_of(replace(wanted, seeds=uneven), "other") == ""


def record(**changes):
    """A run's provenance."""
    return {
        "time": "2026-01-02T03:04:05+00:00",
        "command": ["miiii", "reproduce", "--only", "a b"],
        "versions": {"jax": "0.10.2", "numpy": "2.4.6"},
        "platform": {"system": "Linux", "machine": "x86_64"},
        "git": {"revision": "0123456789abcdef", "dirty": False},
        "device": {"platform": "gpu", "kind": "H200"},
        **changes,
    }


def run(name, epoch, provenance):
    config = replace_fields(plan("small").base, epochs=100)
    status = {"epoch": epoch}
    return SimpleNamespace(name=name, config=config, status=status, provenance=provenance)


def test_runs_say_how_far_and_where_they_were_trained():
    other = record(
        git={"revision": "fedcba9876543210", "dirty": True},
        versions={"jax": "0.11.0", "numpy": "2.4.6", "optax": None},
        device={"platform": "cpu", "kind": "cpu"},
        command=["miiii", "resume"],
    )
    runs = {"miiii": [run("one", 100, record()), run("two", 40, other), run("bare", 1, {})]}
    found = study_settings(SimpleNamespace(name="study", plan=plan("small")), runs)
    one, two, bare = found.runs
    assert (one.epochs, one.device, one.revision) == ("100", "gpu (H200)", "0123456789")
    assert (two.epochs, two.device, two.revision) == ("40 of 100", "cpu", "fedcba9876 and changes")
    assert (one.time, bare.time, bare.revision) == ("2026-01-02 03:04", "–", "–")
    assert dict(found.versions) == {
        "jax": "0.10.2 and 0.11.0",
        "numpy": "2.4.6",
        "optax": "none",
    }
    assert found.platforms == ("Linux x86_64",)
    assert found.recorded == (("miiii reproduce --only 'a b'", 1), ("miiii resume", 1))


def test_runs_that_went_on_under_other_conditions_are_counted_and_listed():
    resumed = {"epoch": 40, "time": "later", "versions": {"jax": "0.11.0"}, "threads": 1}
    went_on = record(threads=2, device={"platform": "cpu", "kind": "cpu"})
    runs = {
        "miiii": [
            run("changed", 100, {**went_on, "resumed": [{**went_on, **resumed}]}),
            run("same", 100, {**went_on, "resumed": [{**went_on, "epoch": 7, "time": "then"}]}),
            run("older", 100, record()),
        ]
    }
    found = study_settings(SimpleNamespace(name="study", plan=plan("small")), runs)
    assert found.changed == 1
    assert found.conditions == ("2 threads",)
    assert found.resumed == (
        (
            "changed",
            "resumed after epoch 40 (later): jax was 0.10.2, is 0.11.0, threads was 2, is 1",
        ),
        ("same", "resumed after epoch 7 (then): under the same conditions"),
    )


def test_experiments_say_what_they_change():
    found = study_settings(SimpleNamespace(name="study", plan=plan("small")), {})
    changes = {row.key: row.changes for row in found.experiments}
    assert changes["miiii"] == ()
    assert changes["lambda-2"] == (("filter strength", "2", "0.5"),)
    assert ("masked tasks", "2, 3, 5, 7", "none") in changes["masked"]
    base = dict(found.base)
    assert dict(base["model"])["width"] == str(plan("small").base.model.width)
    assert dict(base["task"])["moduli"] == "2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37"
    assert dict(base["task"])["data seed"] == "the run's seed"
    assert set(base) == {"task", "model", "optim", "training"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1 / 3, "0.333333"),
        (1e-8, "1e-08"),
        (10_000, "10,000"),
        (9_999, "9999"),
        ((2, 3), "2, 3"),
        ((), "none"),
        ("", "–"),
    ],
)
def test_values_are_written_for_people(value, words):
    assert value_text(value) == words
