"""The ledger's forms, read back by other means; and the rules' own consistency."""

import csv
import dataclasses
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from claims.planted_runs import held, masked, miiii, nanda, stuck, study, with_
from miiii.claims.evidence import Evidence, generalisation_epoch
from miiii.claims.finding import quantity
from miiii.claims.judge import judge
from miiii.claims.ledger import COLUMNS, value_text
from miiii.claims.measurements import Group
from miiii.claims.rules import paper as rules
from miiii.claims.rules.paper import CLAIMS, EXPERIMENTS
from miiii.claims.settings import departures
from miiii.claims.text import interval_text, number, percent
from wording import naming, says


def mixed():
    """Seeds that differ, a claim that fails, an experiment that is missing, a task never solved."""
    runs = study(
        miiii=lambda seed: with_(
            miiii(seed, epochs=held() | ({109: None} if seed else {})),
            "embeddings",
            pearson=-0.6 - 0.1 * seed,
        )
    )
    del runs["masked"]
    runs["nanda"] = [with_(nanda(seed), "embeddings", pearson=0.1) for seed in (0, 1, 2)]
    return judge(runs, "mixed | study")


def test_every_claim_has_a_rule_in_words_with_its_own_thresholds():
    for claim in CLAIMS.values():
        for item in dataclasses.fields(claim):
            assert getattr(claim, item.name), (claim.id, item.name)
        assert set(claim.experiments) <= set(EXPERIMENTS)
        assert all(1 <= figure <= 24 for figure in claim.figures)
        texts = (claim.claim, claim.statistic, claim.reproduced, claim.not_reproduced)
        assert all(text.endswith(".") for text in (*texts[:1], *texts[2:], claim.undecided))
    assert "0.99" in CLAIMS["C1"].reproduced
    assert "−0.3" in CLAIMS["C10"].reproduced


def test_every_threshold_has_its_reason():
    source = Path(rules.__file__).read_text(encoding="utf-8")
    numbers = re.findall(r"^([A-Z_]+(?:, [A-Z_]+)*) = [-\d.]", source, re.MULTILINE)
    assert len(numbers) > 25
    excused = {  # the other half of a pair whose reason stands with the first
        "PEARSON_NOT_ALIKE", "PEARSON_NOT_OPPOSED",
    }  # fmt: skip
    for name in numbers:
        line = source.index(f"\n{name} = ")
        following = source[source.index("\n", line + 1) + 1 :]
        has_reason = following.startswith('"""')
        assert has_reason or name in excused or name.startswith("PAPER_"), name


def test_the_lower_threshold_is_never_above_the_upper():
    pairs = (
        (rules.NOT_CONVERGED_SHARE, rules.GENERALISED_SHARE),
        (rules.NOT_DIVERGED, rules.DIVERGED),
        (rules.NOT_PERIODIC, rules.PERIODIC),
        (rules.VERY_FEW, rules.NOT_FEW),
        (rules.PEARSON_NOT_ALIKE, rules.PEARSON_ALIKE),
        (rules.PEARSON_OPPOSED, rules.PEARSON_NOT_OPPOSED),
        (rules.APERIODIC_VECTORS, rules.PERIODIC_VECTORS),
        (rules.SHARING_FLAT, rules.SHARING_ROSE),
        (rules.TEST_FAILS, rules.TEST_WORKS),
    )
    assert all(low < high for low, high in pairs)


def test_json_holds_everything_and_is_strict():
    ledger = mixed()
    record = json.loads(ledger.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert record["study"] == "mixed | study"
    assert sum(record["counts"].values()) == len(record["findings"]) == 19
    by_id = {finding["id"]: finding for finding in record["findings"]}
    assert {item["verdict"] for item in by_id.values()} == set(record["counts"])
    ten = by_id["C10"]
    assert ten["verdict"] == "not reproduced"
    assert ten["figures"] == [10]
    first = ten["quantities"][0]
    assert first["experiment"] == "nanda"
    assert first["values"] == [0.1] * 3
    assert first["paper"] == "0.95"
    assert first["interval"]["coverage"] == 0.75
    last = by_id["C1"]["quantities"][2]
    assert last["values"] == [20_960.0, "inf"]
    assert by_id["C16"]["verdict"] == "undecided"
    assert by_id["C16"]["quantities"][0]["median"] is None
    seeds = {item["experiment"]: item["seeds"] for item in record["experiments"]}
    assert seeds["nanda"] == [0, 1, 2]
    assert "masked" not in seeds


def test_verdicts_name_their_optimiser_and_only_the_papers_count_as_its_own():
    muon = [miiii(seed, optimiser="muon") for seed in (0, 1)]
    own = [nanda(seed) for seed in (0, 1)]
    ledger = judge({"miiii": muon, "nanda": own})
    record = json.loads(ledger.to_json())
    under = {item["id"]: item["judged_under"] for item in record["findings"]}
    (text,) = departures(muon[0].origin)
    # C10 compares both tasks, C7 asks T_basis alone, of which there is no run.
    assert under["C1"] == under["C10"] == {"papers": False, "text": text, "departures": [text]}
    assert under["C7"] is None
    assert sum(record["counts_under_papers_settings"].values()) == 0
    assert sum(record["counts"].values()) == 19
    titles = [title for title, _ in ledger.groups]
    assert says(titles[0], f"under {text}: not")
    assert titles[1:] == ["No runs"]
    assert ledger.to_markdown().index(titles[0]) < ledger.to_markdown().index(titles[1])
    assert f"judged under {text}" in ledger.standing

    papers = judge({"miiii": [miiii(seed) for seed in (0, 1)], "lambda-0": [stuck(0), stuck(1)]})
    assert says(papers.groups[0][0], "Under paper's")
    assert [title for title, _ in papers.groups[1:]] == ["No runs"]
    counts = json.loads(papers.to_json())["counts_under_papers_settings"]
    of_first = [finding.verdict for finding in papers.groups[0][1]]
    assert counts == {verdict: of_first.count(verdict) for verdict in counts}
    assert counts["reproduced"] > 0


@pytest.mark.parametrize(
    ("changes", "departure"),
    [
        ({"optimiser": "muon"}, "Muon AdamW"),
        ({"filter": "ma"}, "filter ma"),
        ({"label_smoothing": 0.1}, "labels 0.1"),
        ({"large_task_power": 1.5}, "size power 1.5"),
        ({"average_weights": 0.98}, "weights averaged 0.98"),
        ({"normaliser": "stablemax"}, "stablemax softmax"),
        ({"task_reduction": "quadratic_mean"}, "quadratic mean"),
        ({"minibatches": 4}, "4 updates"),
        ({"orthogonal_gradient": True}, "⊥Grad"),
        ({"restarts": 1}, "starts again"),
        ({"task_reduction": "mean", "learning_rate": 9e-4, "filter": "none"}, ""),
        ({"filter_strength": 0.0, "dropout": 0.0, "weight_decay": 0.0, "base": 59}, ""),
    ],
)
def test_what_departs_from_the_papers_optimiser_and_loss(changes, departure):
    found = departures(miiii(**changes).origin)
    assert len(found) == bool(departure)
    assert says("".join(found), departure)


def test_csv_has_one_row_per_quantity_and_parses():
    ledger = mixed()
    rows = list(csv.DictReader(io.StringIO(ledger.to_csv())))
    assert tuple(rows[0]) == COLUMNS
    expected = [(it.id, item) for it in ledger.findings for item in it.quantities]
    assert len(rows) == len(expected)
    for row, (claim, item) in zip(rows, expected, strict=True):
        assert row["claim"] == claim
        assert [float(value) for value in row["values"].split()] == pytest.approx(
            list(item.values), nan_ok=True
        )
        median = float(row["median"]) if row["median"] else math.nan
        assert median == pytest.approx(item.median, nan_ok=True)
        assert row["runs"].split() == list(item.runs)
        assert row["reason"].endswith(".")


def test_markdown_tables_are_whole():
    ledger = mixed()
    lines = ledger.to_markdown().splitlines()
    assert lines[0] == "# Ledger of mixed | study"
    assert lines[2] == ledger.summary + "."
    for block in "\n".join(lines).split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert len(widths) <= 1, block
    for finding in ledger.findings:
        assert f"### {finding.id}: {finding.claim.claim}" in lines
        assert f"**{finding.verdict}**. {finding.reason}" in lines


def test_the_summary_counts_the_verdicts():
    ledger = mixed()
    counts = {
        verdict: [finding.verdict for finding in ledger.findings].count(verdict)
        for verdict in ("reproduced", "not reproduced", "undecided")
    }
    assert ledger.counts == counts
    assert ledger.summary == "19 claims: {}, {}, {}".format(
        *(f"{count} {verdict}" for verdict, count in counts.items())
    )


def test_a_finding_names_its_runs_and_seeds():
    finding = mixed().findings[9]
    names = [f"nanda-seed{seed}" for seed in range(3)]
    assert finding.runs == (*names, "miiii-seed0", "miiii-seed1")
    assert finding.seeds == (("nanda", 3), ("miiii", 2))
    assert [item.experiment for item in finding.headline] == ["nanda", "miiii"]


def test_versions_that_differ_are_all_named():
    runs = [miiii(0), miiii(1, versions={"jax": "0.11.0"})]
    assert judge({"miiii": runs}).versions == {"jax": "0.10.2 and 0.11.0"}


def test_quantities_summarise_what_exists():
    runs = Group("miiii", tuple(miiii(seed) for seed in range(4)))
    numbers = dict(zip(("miiii-seed0", "miiii-seed1", "miiii-seed2"), (3.0, None, math.inf)))  # noqa: B905
    item = quantity("x", runs, lambda run: numbers.get(run.origin.run), unit="epochs")
    assert item.known == (3.0, math.inf)
    assert (item.lowest, item.highest, item.median) == (3.0, math.inf, math.inf)
    assert value_text(item) == "never (3 to never)"
    assert interval_text(item.interval, "epochs") == "3 to never (50 %, order statistics)"
    none = quantity("x", runs, lambda run: None)
    assert math.isnan(none.median)
    assert math.isnan(none.lowest)
    assert none.interval is None
    assert value_text(none) == "–"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.123456, "", "0.123"),
        (-0.5, "", "−0.5"),
        (12345.0, "", "12,345"),
        (12345.6, "", "12,346"),
        (0.0, "", "0"),
        (-3.0, "", "−3"),
        (math.inf, "", "∞"),
        (math.inf, "epochs", "never"),
        (math.nan, "epochs", "–"),
        (1e-7, "", "1e−07"),
    ],
)
def test_numbers_are_written_as_people_read_them(value, unit, text):
    assert number(value, unit) == text


def test_shares_are_written_in_whole_per_cent():
    assert percent(0.9) == "90 %"


def test_a_run_generalises_when_nine_tenths_of_its_trained_tasks_hold():
    epochs = {q: 100 * i for i, q in enumerate(held(), 1)}
    # 29 tasks: the 27th smallest epoch, as ⌈0.9 · 29⌉ = 27.
    assert generalisation_epoch(miiii(epochs=epochs)) == 2_700
    # Without the masked four, 25 tasks: ⌈22.5⌉ = 23, from the fifth on.
    assert generalisation_epoch(masked(epochs=epochs)) == 100 * (4 + 23)
    late = sorted(epochs)[-3:]
    assert generalisation_epoch(miiii(epochs=epochs | dict.fromkeys(late))) == math.inf
    slow = np.sort([epoch for q, epoch in epochs.items()])[int(np.ceil(0.9 * 29)) - 1]
    assert generalisation_epoch(miiii(epochs=epochs)) == slow


def test_unknown_experiments_and_repeated_seeds_are_refused():
    with pytest.raises(ValueError, match=naming("'lambda-1' miiii nanda")):
        Evidence.gather({"lambda-1": []})
    with pytest.raises(ValueError, match=naming("'miiii' seed 0 twice miiii-seed0")):
        Evidence.gather({"miiii": [miiii(0), miiii(0)]})


def test_runs_are_told_in_the_order_of_their_seeds():
    ledger = judge({"miiii": [miiii(2), miiii(0), miiii(1)]})
    assert ledger.findings[0].quantities[0].seeds == (0, 1, 2)
