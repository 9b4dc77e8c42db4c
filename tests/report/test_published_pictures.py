"""A planted run at p = 113 beside the published figures: drawing, tables and what is said."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from claims.planted_runs import miiii
from miiii import get_preset, load_run
from miiii.claims.measurements import Frequencies, LateSharing, Sharing
from miiii.claims.rules.published import PUBLISHED_FIRST
from miiii.experiment.members import new_member
from miiii.report.pictures.catalogue import choose
from miiii.report.pictures.sources import Look, Sources
from miiii.results.paper import MissingInputError, Results
from miiii.results.store import NAME, dependencies
from miiii.runs.jsonfiles import encode_json
from wording import says

LATE = {2: 0.5, 3: 2.0}
"""How many times as late as published the planted run is; the other tasks 1.0."""


@pytest.fixture
def planted(tmp_path):
    """A run that is at epoch 30,000 of 65,536, each task at 0.9 from its epoch on."""
    config = get_preset("reference32")
    member = new_member(tmp_path, "planted", config, False, [], "split", (["planted"], 0))
    every, last = config.training.validate_every, 30_000
    epochs = np.arange(every, last + 1, every, dtype=np.int64)
    reached = np.array([PUBLISHED_FIRST[q] * LATE.get(q, 1.0) for q in config.task.task_moduli])
    accuracy = np.where(epochs[:, None] >= reached, 0.9, 0.899).astype(np.float32)
    member.directory.append_history(
        1,
        last,
        {
            "epoch": epochs,
            "train_loss": accuracy,
            "train_accuracy": accuracy,
            "gradient_norm": np.ones((len(epochs), 9), np.float32),
            "validation_epoch": epochs,
            "validation_loss": accuracy,
            "validation_accuracy": accuracy,
        },
    )
    return load_run("planted", tmp_path)


def drawn(run, number):
    (entry,) = choose([number])
    return list(entry.draw(Sources(main=Results(run)), Look()))


def table_of(picture):
    assert isinstance(picture.drawing, Mapping)
    return list(csv.DictReader(io.StringIO(picture.drawing["csv"])))


def test_every_task_stands_beside_its_published_epoch(planted):
    figure, table = drawn(planted, "4p")
    rows = table_of(table)
    assert [int(row["q"]) for row in rows] == sorted(PUBLISHED_FIRST)
    for row in rows:
        modulus = int(row["q"])
        published = PUBLISHED_FIRST[modulus]
        assert row["the paper"] == f"{published:,}"
        if published * LATE.get(modulus, 1.0) > 30_000:
            assert row["planted"] == "not by 30,000"
            assert row["ratio"] == "–"
        else:
            # The first validation at or after it: every eighth epoch has one.
            epoch = 8 * math.ceil(published * LATE.get(modulus, 1.0) / 8)
            assert row["planted"] == f"{epoch:,}"
            assert float(row["ratio"]) == pytest.approx(epoch / published, rel=0.005)
    came = sum(published * LATE.get(q, 1.0) <= 30_000 for q, published in PUBLISHED_FIRST.items())
    assert f"{came} of 29 tasks have come" in table.caption
    assert "at 30,000 of 65,536 epochs" in table.caption
    # 3 at 948 is still before 5, so that the order is the published one.
    assert says(table.caption, "rank correlation 1.00")
    assert figure.caption == table.caption
    drawing: Any = figure.drawing
    axes = drawing.axes[0]
    dots = next(line for line in axes.lines if line.get_label() == "this run")
    assert np.size(dots.get_xdata()) == came


def measured(run, counts, sharing=None, late=None):
    """Measurements that are kept beside a run, planted."""
    epochs = (4_096, 8_000, 10_000, 16_000, 20_000, 26_000)
    found = Frequencies(56, epochs, counts, (1,) * 6, (0.5,) * 6, (3,) * 6)
    record = dataclasses.replace(miiii(), frequencies=found, sharing=sharing, late_sharing=late)
    path = run.path / NAME
    path.parent.mkdir()
    content = {"key": dependencies(run), "depth": "training"}
    path.write_bytes(encode_json(content | {"measurements": json.loads(record.to_json())}))


def test_frequencies_that_rise_and_fall_near_the_papers_epoch_are_said_to(planted):
    sharing = Sharing((46_341, 65_536), *[(0.0, 0.25)] * 6)
    measured(planted, (1, 2, 2, 9, 5, 4), sharing)
    (table,) = drawn(planted, "8P")
    assert "at most 9 frequencies are above μ + 2σ, 2 before and 4 after" in table.caption
    assert says(table.caption, "count rises falls")
    assert says(table.caption, "46,341 65,536 sharing index 0.000 0.250")
    assert [row["epoch"] for row in table_of(table)][:2] == ["4,096", "8,000"]
    assert [row["above μ + 2σ"] for row in table_of(table)] == ["1", "2", "2", "9", "5", "4"]


def test_the_last_epochs_are_told_of_the_tasks_that_hold_where_others_do_not(planted):
    index = Sharing((46_341, 65_536), (-0.02, 0.13), *[(0.0, 0.25)] * 5)
    measured(planted, (1, 2, 2, 9, 5, 4), late=LateSharing((2, 3, 5), index))
    (table,) = drawn(planted, "8P")
    assert says(table.caption, "46,341 65,536 sharing index 3 tasks hold -0.020 0.130")


def test_a_count_that_only_grows_does_not_rise_and_fall(planted):
    measured(planted, (1, 2, 3, 4, 5, 6))
    (table,) = drawn(planted, "8P")
    assert says(table.caption, "not rise fall")
    assert says(table.caption, "sharing index not measured")


def test_a_run_that_was_not_measured_is_refused_with_the_command(planted):
    with pytest.raises(MissingInputError, match="miiii ledger"):
        drawn(planted, "8P")
