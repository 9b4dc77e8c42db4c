"""Every question of the further work comes out each way on runs whose answer is known."""

import csv
import dataclasses
import io
import json
import math
import re

import pytest

from claims.planted_runs import miiii, stuck, study, with_
from miiii.claims.evidence import Evidence
from miiii.claims.judge import ANSWERS, judge
from miiii.claims.judges.further_work import delay, median_epoch
from miiii.claims.measurements import Multiples
from miiii.claims.rules import further_work as rules
from miiii.claims.rules.further_work import QUESTIONS, WITHOUT
from miiii.config.further_work import LEFT_OUT, VARIATIONS
from wording import says

TASKS = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)
ON_TIME = {q: 100 * (i + 1) for i, q in enumerate(TASKS)}


def late(times, masked=()):
    """Every task that is trained generalises so many times as late."""
    epochs = {q: None if q in masked else round(times * e) for q, e in ON_TIME.items()}
    return lambda seed, name="run": miiii(seed, name, epochs, masked=masked)


def never(masked=()):
    return lambda seed: miiii(seed, "never", dict.fromkeys(TASKS), masked=masked)


def left_out(smallest, largest=1.0, at_random=1.0):
    """Makers for B1: the delay of every kind, whatever the count."""
    times = {"smallest": smallest, "largest": largest, "random": at_random}
    makers = {"miiii": late(1.0)}
    for which, keys in WITHOUT.items():
        for key, count in zip(keys, (2, 4, 8), strict=True):
            masked = TASKS[:count] if which == "smallest" else TASKS[-count:]
            value = times[which]
            makers[key] = never(masked) if value == math.inf else late(value, masked)
    return makers


def told(found, spared=0.99):
    record = Multiples((found,) * 10, (spared,) * 10)
    return lambda seed: dataclasses.replace(late(1.0)(seed), multiples=record)


def some_told(count):
    record = Multiples((0.95,) * count + (0.1,) * (10 - count), (0.99,) * 10)
    return lambda seed: dataclasses.replace(late(1.0)(seed), multiples=record)


def speeds(none, at_random, own=1.0):
    return {
        "slow-on-tasks": late(own),
        "lambda-0": late(none),
        "slow-on-random": late(at_random),
        "lambda-2": late(1.0),
    }


def unregularised(how, count, plain=stuck):
    """A share of ten tasks holds with what takes the regularisation's place."""
    epochs = {q: epoch if i < count else None for i, (q, epoch) in enumerate(ON_TIME.items())}
    return {
        "unregularised": plain,
        f"unregularised-{how}": lambda seed: miiii(seed, how, epochs),
    }


def long(changed=None, **origin):
    """Ten times the training; some tasks hold from another epoch."""
    epochs = ON_TIME | (changed or {})
    whole = {"epoch": 600_000, "epochs": 600_000, **origin}
    return {
        "miiii": late(1.0),
        "tenfold": lambda seed: with_(miiii(seed, "tenfold", epochs), "origin", **whole),
    }


def sharing(neurons, epochs=(22_000, 100_000, 600_000)):
    return {"tenfold": lambda seed: with_(miiii(seed), "sharing", neurons=neurons, epochs=epochs)}


def without(makers, *keys):
    return {key: maker for key, maker in makers.items() if key not in keys}


YES = {
    "B1": [left_out(1.25), left_out(math.inf), left_out(2.0, 1.5, 0.9)],
    "B2": [
        {"divisibility": told(0.9), "miiii": told(1.0)},
        {"divisibility": some_told(9), "miiii": told(1.0)},
    ],
    "B3": [speeds(1.1, 1.2), without(speeds(2.0, 2.0), "lambda-2")],
    "B4": [unregularised("stablemax", 9)],
    "B5": [unregularised("orthogonal", 10)],
    "B6": [long()],
    "B7": [sharing((0.0, 0.05, 0.1))],
}
NO = {
    "B1": [left_out(1.0), left_out(1.1), left_out(1.5, largest=2.0), left_out(2.0, 1.0, math.inf)],
    "B2": [{"divisibility": some_told(4), "miiii": told(1.0)}],
    "B3": [speeds(1.0, 2.0), speeds(2.0, 1.03), speeds(0.5, 2.0)],
    "B4": [unregularised("stablemax", 4)],
    "B5": [unregularised("orthogonal", 0)],
    "B6": [long({29: None}), long({2: 400_000})],
    "B7": [sharing((0.1, 0.1, 0.13))],
}
OPEN = {
    "B1": [
        left_out(1.2),
        left_out(math.inf, math.inf),
        without(left_out(2.0), "without-random-4"),
        without(left_out(2.0), "miiii"),
        without(left_out(2.0), *WITHOUT["smallest"]),
    ],
    "B2": [
        {"divisibility": some_told(5), "miiii": told(1.0)},
        {"divisibility": told(0.9), "miiii": some_told(5)},
        {"divisibility": told(0.9)},
        {"divisibility": late(1.0), "miiii": told(1.0)},
        {
            "divisibility": lambda seed: with_(some_told(2)(seed), "origin", epoch=10),
            "miiii": told(1.0),
        },
    ],
    "B3": [
        speeds(1.05, 2.0),
        without(speeds(2.0, 2.0), "slow-on-random"),
        {"slow-on-tasks": never(), "lambda-0": never(), "slow-on-random": never()},
    ],
    "B4": [
        unregularised("stablemax", 7),
        unregularised("stablemax", 5),
        unregularised("stablemax", 10, plain=late(1.0)),
        without(unregularised("stablemax", 10), "unregularised"),
    ],
    "B5": [
        unregularised("orthogonal", 7),
        unregularised("orthogonal", 10, plain=late(2.0)),
        without(unregularised("orthogonal", 10), "unregularised-orthogonal"),
    ],
    "B6": [
        long(epoch=300_000),
        without(long(), "miiii"),
        long() | {"miiii": never()},
    ],
    "B7": [
        sharing((0.0, 0.0, 0.06)),
        sharing((0.0, 0.0, 0.3), (22_000, 23_000, 24_000)),
        {"tenfold": lambda seed: dataclasses.replace(miiii(seed), sharing=None)},
    ],
}


def answer(question, makers):
    runs = {key: [make(0), make(1)] for key, make in makers.items()}
    finding = ANSWERS[question](Evidence.gather(runs))
    assert finding.id == question
    return finding


def cases(table):
    return [
        pytest.param(question, makers, id=f"{question}-{number}")
        for question, several in table.items()
        for number, makers in enumerate(several)
    ]


@pytest.mark.parametrize(("question", "makers"), cases(YES))
def test_yes(question, makers):
    found = answer(question, makers)
    assert (found.answer, found.verdict) == ("yes", "reproduced"), found.reason


@pytest.mark.parametrize(("question", "makers"), cases(NO))
def test_no(question, makers):
    found = answer(question, makers)
    assert (found.answer, found.verdict) == ("no", "not reproduced"), found.reason


@pytest.mark.parametrize(("question", "makers"), cases(OPEN))
def test_undecided(question, makers):
    assert answer(question, makers).answer == "undecided"


def test_the_tables_cover_every_question():
    assert list(ANSWERS) == list(QUESTIONS) == list(YES) == list(NO) == list(OPEN)


@pytest.mark.parametrize("question", QUESTIONS)
def test_seeds_that_disagree_and_single_seeds_decide_nothing(question):
    yes, no = YES[question][0], NO[question][0]
    mixed = {key: [yes[key](0), no[key](1)] for key in yes}
    assert ANSWERS[question](Evidence.gather(mixed)).answer == "undecided"
    single = {key: [yes[key](0)] for key in yes}
    assert ANSWERS[question](Evidence.gather(single)).answer == "undecided"


def test_a_delay_is_of_the_trained_tasks_alone():
    # 2 and 3 are masked; of the others 5 takes twice as long, 29 never comes, the rest thrice.
    epochs = {q: 3 * epoch for q, epoch in ON_TIME.items()} | {5: 600, 29: None, 2: 1, 3: 1}
    run = miiii(0, "run", epochs, masked=(2, 3))
    assert delay(run, late(1.0)(0)) == 3
    assert delay(run, None) is None
    # A task that never came with every task either says nothing.
    assert delay(run, miiii(0, "whole", dict.fromkeys(TASKS) | {5: 300})) == 2
    assert delay(run, never()(0)) is None
    assert median_epoch(run) == (3 * 600 + 3 * 700) / 2


def test_the_rules_know_the_experiments():
    assert tuple(VARIATIONS) == rules.EXPERIMENTS
    known = {*Evidence.gather({}).runs}
    for question in QUESTIONS.values():
        assert set(question.experiments) <= known
        assert set(question.experiments) & set(rules.EXPERIMENTS)
        assert question.beyond
        texts = (question.claim, question.reproduced, question.not_reproduced, question.undecided)
        assert all(text.endswith(".") for text in texts)
    assert {which: len(counts) + (which == "smallest") for which, counts in LEFT_OUT.items()} == {
        which: len(keys) for which, keys in WITHOUT.items()
    }


def test_questions_stand_in_the_ledger_where_they_have_runs():
    plain = judge(study())
    assert not plain.questions
    assert "question" not in plain.summary
    assert "answers" not in json.loads(plain.to_json())
    runs = {**study(), "tenfold": [long()["tenfold"](0)]}
    runs |= {key: [make(0), make(1)] for key, make in unregularised("orthogonal", 10).items()}
    ledger = judge(runs)
    # B4 shares its run without regularisation with B5.
    assert [finding.id for finding in ledger.questions] == ["B4", "B5", "B6", "B7"]
    assert ledger.counts == plain.counts
    assert ledger.answers == {"yes": 1, "no": 0, "undecided": 3}
    assert says(ledger.summary.split(";")[-1], "4 questions 1 yes, 0 no, 3 undecided")
    record = json.loads(ledger.to_json())
    assert record["answers"] == ledger.answers
    said = {item["id"]: item["verdict"] for item in record["findings"]}
    assert (said["B5"], said["C1"], len(said)) == ("yes", "reproduced", 23)
    rows = list(csv.DictReader(io.StringIO(ledger.to_csv())))
    assert {row["verdict"] for row in rows if row["claim"] == "B5"} == {"yes"}
    text = ledger.to_markdown()
    section = text.partition("### B5: ")[2].partition("### B6: ")[0]
    assert "\n**yes**. " in section
    assert re.search("- Yes: .*dropout.*90 %", section)
    assert re.search("- No: .*50 %", section)
    assert "pictures" not in section
    assert re.search("- Reproduced: .*0.99", text)
