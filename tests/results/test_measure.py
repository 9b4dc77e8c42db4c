"""A tiny run measured end to end, against plain Python; and what is kept of it."""

import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

import miiii
from analysis.planted_circuits import circuit_model
from miiii import RunError, get_preset, replace_fields
from miiii.analysis.circuits.causal import harmonic_removal, neuron_removal
from miiii.analysis.circuits.sharing import sharing_index
from miiii.analysis.permuting import sample_numbers
from miiii.claims.judge import judge
from miiii.claims.rules import paper as rules
from miiii.results import measurements as measuring
from miiii.results.multiples import passing
from miiii.results.store import NAME, dependencies, depth_for, measure, measure_runs
from miiii.tasks.dataset import build_dataset
from results.stored_runs import SNAPSHOTS, forward, store
from wording import naming

SMALLEST = replace_fields(
    get_preset("tiny"), base=7, width=8, heads=2, epochs=24, snapshots=24, seed=3
)
HELD = (4, None, 9)
"""Epochs from which 2, 3 and 5 hold; 3 falls back at the last."""
ASKED = SMALLEST.task.split_sizes[1]
LOW, HIGH = (ASKED // 3) / ASKED, 1.0
"""Shares of the validation numbers: under and over 0.9."""


def planted_accuracy():
    accuracy = np.full((24, 3), LOW)
    accuracy[3:, 0] = accuracy[1:-1, 1] = accuracy[8:, 2] = HIGH
    accuracy[1:3, 2] = HIGH
    return accuracy


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """T_miiii, its divisibility form, T_nanda and the waves, of random weights."""
    folder = tmp_path_factory.mktemp("runs")
    for name, changes in {
        "miiii": {"masked_tasks": (5,)},
        "divisible": {"target": "divisibility"},
        "nanda": {"task": "nanda"},
        "waves": {"task": "waves"},
    }.items():
        accuracy = planted_accuracy() if name == "miiii" else None
        store(folder, name, replace_fields(SMALLEST, **changes), accuracy=accuracy)
    return folder


def opened(runs, name="miiii"):
    return miiii.load_run(runs / name)


@pytest.fixture(scope="module")
def measured(runs):
    shutil.rmtree(runs / "miiii" / "analysis", ignore_errors=True)
    return measure(opened(runs))


def predictions(run):
    """Per number and task the class with the largest logit."""
    logits, table, start = forward(run.parameters, run.config.task.base)[0], [], 0
    for size in run.dataset.class_sizes:
        table.append(logits[:, start : start + size].argmax(axis=1))
        start += size
    return np.stack(table, axis=1)


def test_origin_says_what_was_trained(measured):
    origin = measured.origin
    assert (origin.run, origin.seed, origin.epoch, origin.epochs) == ("miiii", 3, 24, 24)
    assert (origin.task, origin.base, origin.moduli) == ("miiii", 7, (2, 3, 5))
    assert (origin.masked, origin.width, origin.optimiser) == ((5,), 8, "adamw")
    assert origin.learning_rate == SMALLEST.optim.learning_rate
    assert origin.finished
    assert origin.versions["numpy"] == np.__version__


def test_performance_is_the_historys(runs, measured):
    run = opened(runs)
    history, found = run.history, measured.performance
    assert found.validation_accuracy == tuple(map(float, history.validation_accuracy[-1]))
    trained = history.validation_loss[:, :2].mean(axis=1)  # 5 is masked
    assert found.lowest_validation_loss == pytest.approx(trained.min())
    assert found.lowest_validation_epoch == history.validation_epoch[trained.argmin()]
    assert found.late_validation_loss == pytest.approx(np.median(trained[-2:]))
    assert found.first_train_loss == pytest.approx(history.train_loss[0, :2].mean())
    assert found.late_train_loss == pytest.approx(
        np.median(history.train_loss[-2:, :2].mean(axis=1))
    )
    assert found.held_from == HELD
    assert found.late_gain == pytest.approx(((HIGH + LOW) / 2 + HIGH) / 2 - HIGH)


def test_accuracy_on_all_numbers_is_counted_one_by_one(runs, measured):
    run = opened(runs)
    guessed = predictions(run)
    for column, modulus in enumerate((2, 3, 5)):
        right = sum(int(guessed[n, column]) == n % modulus for n in range(49))
        assert measured.performance.domain_accuracy[column] == pytest.approx(right / 49)


def test_ties_are_no_right_answer(runs):
    dataset = opened(runs).dataset
    assert measuring.domain_accuracy(np.zeros((49, 10)), dataset) == (0.0, 0.0, 0.0)
    perfect = np.zeros((49, 10))
    for n in range(49):
        for start, q in ((0, 2), (2, 3), (5, 5)):
            perfect[n, start + n % q] = 1
    assert measuring.domain_accuracy(perfect, dataset) == (1.0, 1.0, 1.0)


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, n))


@pytest.mark.parametrize("name", ["miiii", "divisible"])
def test_primality_is_counted_one_by_one(runs, name):
    run = opened(runs, name)
    found = measure(run, depth="outside").primality
    zero = 0 if name == "miiii" else 1
    passes = [all(row != zero) for row in predictions(run)]
    train = set(run.dataset.split.train.tolist())
    for part, counted in (
        (found.everywhere, range(2, 49)),
        (found.held_out, [n for n in range(2, 49) if n not in train]),
    ):
        groups = {
            "small_primes": [n for n in counted if is_prime(n) and n < 7],
            "primes": [n for n in counted if is_prime(n) and n >= 7],
            "composites": [n for n in counted if not is_prime(n)],
        }
        for kind, numbers in groups.items():
            assert getattr(part, kind) == len(numbers)
            assert getattr(part, f"{kind}_passing") == sum(passes[n] for n in numbers)


@pytest.mark.parametrize("name", ["miiii", "divisible"])
def test_multiples_are_told_apart_one_by_one(runs, name):
    run = opened(runs, name)
    found = measure(run, depth="outside").multiples
    train = set(run.dataset.split.train.tolist())
    others = [n for n in range(49) if n not in train]
    zero = 0 if name == "miiii" else 1
    classes = predictions(run)
    for task, q in enumerate((2, 3, 5)):
        taken = {n: classes[n][task] == zero for n in others}
        multiples = [n for n in others if n % q == 0]
        rest = [n for n in others if n % q]
        expected = (
            sum(taken[n] for n in multiples) / len(multiples),
            sum(not taken[n] for n in rest) / len(rest),
        )
        assert (found.found[task], found.spared[task]) == pytest.approx(expected)
        assert found.balanced[task] == pytest.approx(sum(expected) / 2)


def test_right_remainders_pass_exactly_the_primes_from_p_up():
    numbers = np.arange(13**2)
    passes = np.all([numbers % q for q in (2, 3, 5, 7, 11)], axis=0)
    found = passing(passes, np.ones(13**2, bool), 13)
    assert (found.small_primes, found.small_primes_passing) == (5, 0)
    assert (found.composites_passing, found.precision, found.recall_from_base) == (0, 1.0, 1.0)
    assert found.primes == sum(is_prime(n) for n in range(13, 169))
    assert found.recall == found.primes / (found.primes + 5)


def test_embedding_frequencies_are_counted_on_the_token_axis(runs, measured):
    table = np.asarray(opened(runs).parameters.token_embedding, float)[:7]
    power = (np.abs(np.fft.rfft(table, axis=0)) ** 2).sum(axis=1)[1:]
    held = np.cumsum(np.sort(power)[::-1]) / power.sum()
    assert measured.embeddings.needed == np.argmax(held >= 0.9) + 1
    assert len(measured.embeddings.random_needed) == measuring.RANDOM_EMBEDDINGS
    assert set(measured.embeddings.random_needed) <= {2, 3}


def test_insides_are_measured(runs, measured):
    run = opened(runs)
    assert measured.frequencies.epochs == SNAPSHOTS
    assert measured.frequencies.available == 3
    assert all(0 <= count <= 3 for count in measured.frequencies.counts)
    assert len(measured.neurons.output_null) == measuring.OUTPUT_DRAWS
    assert 0 < measured.neurons.output_share <= 1
    sums = np.add(np.add(measured.heads.to_x0, measured.heads.to_x1), measured.heads.to_answer)
    assert sums == pytest.approx([1.0, 1.0])
    attention = forward(run.parameters, 7)[1]
    assert measured.heads.to_x1 == pytest.approx(attention.mean(axis=0)[:, 1].tolist())
    positions = np.asarray(run.parameters.position_embedding)
    assert measured.embeddings.pearson == pytest.approx(np.corrcoef(positions[:2])[0, 1])
    values = np.linalg.svd(np.asarray(run.parameters.token_embedding)[:7], compute_uv=False) ** 2
    held = np.cumsum(values) / values.sum()
    assert measured.embeddings.components_half == np.argmax(held >= 0.5) + 1
    assert measured.gradients.names == run.history.weight_names
    # 3 does not hold, so there is nothing to say about circuits after generalisation.
    assert measured.sharing is None


def test_a_trained_run_is_measured_from_its_files(tmp_path):
    """The one that is really trained: what training writes is what measuring reads."""
    config = replace_fields(SMALLEST, validate_every=5, epochs=12, snapshots=12)
    assert miiii.start([config], ["trained"], tmp_path).state == "finished"
    run = opened(tmp_path, "trained")
    found = measure(run)
    assert (found.origin.epoch, found.origin.device) == (12, "cpu")
    assert found.frequencies.epochs == tuple(run.snapshots)
    assert found.performance.validation_accuracy == tuple(
        map(float, run.history.validation_accuracy[-1])
    )
    guessed = predictions(run)
    right = [np.mean(guessed[:, i] == np.arange(49) % q) for i, q in enumerate((2, 3, 5))]
    assert found.performance.domain_accuracy == pytest.approx(right)
    assert measure(run).to_json() == found.to_json()
    for path in (run.path / "snapshots").iterdir():
        path.unlink()
    bare = measure(opened(tmp_path, "trained"))
    assert (bare.frequencies, bare.sharing) == (None, None)
    assert bare.performance == found.performance
    assert judge({"miiii": [bare]}).findings[8].verdict == "undecided"


def test_sharing_is_measured_where_all_tasks_hold(runs):
    run = opened(runs)
    found = measuring.sharing(run, (3, 4, 9))
    assert found.epochs[0] == min(epoch for epoch in run.snapshots if epoch >= 9)
    assert found.epochs[-1] == 24
    assert len(found.neurons) == len(found.harmonics_high) == 2
    assert measuring.sharing(run, (3, None, 9)) is None
    assert measuring.sharing(run, (3, 4, 25)) is None
    assert measuring.sharing(opened(runs, "nanda"), (3,)) is None


def test_sharing_is_that_of_the_snapshots_weights():
    """Of models whose tasks have neurons of their own, more of them at the last snapshot."""
    moduli, tasks = (3, 5, 7), ((3, 1), (5, 2), (7, 3))
    config = replace_fields(SMALLEST, base=13, moduli=moduli)
    few, many = (
        circuit_model(
            13, moduli, [([task], size) for task, size in zip(tasks, sizes, strict=True)]
        )[0]
        for sizes in ((40, 60, 80), (80, 60, 60))
    )
    dataset = build_dataset(config.task, 0)
    snapshots = {0: many, 8: few, 16: many, 24: many}
    run = SimpleNamespace(config=config, dataset=dataset, snapshots=snapshots)
    found = measuring.sharing(run, (3, 5, 8))
    assert found.epochs == (8, 24)
    numbers = sample_numbers(13, measuring.SHARING_NUMBERS)
    for kind, removal in (("neurons", neuron_removal), ("harmonics", harmonic_removal)):
        for at, weights in enumerate((few, many)):
            matrix = removal(weights, dataset, draws=measuring.SHARING_DRAWS, numbers=numbers)
            index = sharing_index(matrix).index
            values = [getattr(found, kind + end)[at] for end in ("", "_low", "_high")]
            assert values == [index.value, index.low, index.high]
    # Nothing is shared, and equal values would not tell one epoch or kind from another.
    assert max(found.neurons + found.harmonics) < 0.05
    assert len({*found.neurons, found.harmonics[0]}) == 3


def test_late_sharing_is_of_the_tasks_that_hold_at_its_first_snapshot():
    """Two of three tasks, whose index differs from that of all three."""
    moduli = (3, 5, 7)
    config = replace_fields(SMALLEST, base=13, moduli=moduli)
    shared = [((3, 1), (5, 2)), ((7, 3),)]
    first, second = (
        circuit_model(13, moduli, list(zip(shared, sizes, strict=True)))[0]
        for sizes in ((40, 60), (80, 60))
    )
    dataset = build_dataset(config.task, 0)
    snapshots = {38_648: second, 46_000: first, 65_536: second}
    run = SimpleNamespace(config=config, dataset=dataset, snapshots=snapshots)
    found = measuring.late_sharing(run, (3, 46_000, None))
    assert found.moduli == (3, 5)
    assert found.index.epochs == (46_000, 65_536)
    numbers = sample_numbers(13, measuring.SHARING_NUMBERS)
    for at, weights in enumerate((first, second)):
        matrix = neuron_removal(weights, dataset, draws=measuring.SHARING_DRAWS, numbers=numbers)
        of_both = sharing_index(matrix, tasks=[True, True, False]).index
        assert found.index.neurons[at] == of_both.value
        assert of_both.value != pytest.approx(sharing_index(matrix).index.value, abs=0.01)
    assert measuring.late_sharing(run, (3, 46_001, None)) is None
    del snapshots[65_536]
    assert measuring.late_sharing(run, (3, 5, 7)) is None


def test_other_tasks_are_measured_as_far_as_they_go(runs):
    nanda = measure(opened(runs, "nanda"), depth="inside")
    waves = measure(opened(runs, "waves"), depth="outside")
    assert nanda.primality is None
    assert nanda.multiples is waves.multiples is None
    assert nanda.origin.moduli == (7,)
    assert nanda.frequencies.epochs == (24,)
    assert nanda.sharing is None
    assert waves.primality is None
    assert math.isnan(waves.performance.domain_accuracy[0])
    assert (waves.neurons, waves.embeddings, waves.heads) == (None, None, None)
    judge({"nanda": [nanda], "waves": [waves]})


@pytest.fixture
def counted(measured, monkeypatch):
    """Measuring costs nothing and is counted, by depth."""
    depths = []

    def stand_in(run, progress, depth):
        depths.append(depth)
        return measured

    monkeypatch.setattr("miiii.results.store.measure_anew", stand_in)
    return depths


def test_what_was_kept_is_read_back(runs, measured, counted):
    assert json.loads((runs / "miiii" / NAME).read_text())["key"] == dependencies(opened(runs))
    again = measure(opened(runs), lambda *_: pytest.fail("told"))
    assert again.to_json() == measured.to_json()
    assert counted == []


def test_more_than_was_kept_is_measured_and_less_is_not(runs, counted):
    shutil.rmtree(runs / "miiii" / "analysis")
    for depth in ("outside", "outside", "training", "inside", "outside", "training"):
        measure(opened(runs), depth=depth)
    assert counted == ["outside", "training"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"key": 1}', b"null"])
def test_a_damaged_file_is_measured_again(runs, counted, content):
    (runs / "miiii" / NAME).write_bytes(content)
    measure(opened(runs))
    measure(opened(runs))
    assert counted == ["training"]


def test_other_thresholds_weights_or_epochs_are_measured_again(runs, monkeypatch):
    measure(opened(runs))
    monkeypatch.setattr(rules, "STRONGEST", 4)
    assert dependencies(opened(runs)) != json.loads((runs / "miiii" / NAME).read_text())["key"]
    monkeypatch.undo()
    before = dependencies(opened(runs))
    snapshot = runs / "miiii" / "snapshots" / "000000003.safetensors"
    other = runs / "divisible" / "snapshots" / "000000003.safetensors"
    kept = snapshot.read_bytes()
    try:
        snapshot.write_bytes(other.read_bytes())
        assert dependencies(opened(runs))["snapshots"] != before["snapshots"]
        snapshot.write_bytes(b"")
        assert dependencies(opened(runs))["snapshots"] != before["snapshots"]
        snapshot.unlink()
        assert dependencies(opened(runs))["snapshots"] != before["snapshots"]
    finally:
        snapshot.write_bytes(kept)
    assert dependencies(opened(runs)) == before


def test_where_the_folder_is_taken_nothing_is_kept(runs, tmp_path, counted):
    shutil.copytree(runs / "miiii", tmp_path / "miiii", ignore=shutil.ignore_patterns("analysis"))
    (tmp_path / "miiii" / "analysis").write_text("a file")
    for _ in range(2):
        assert measure(opened(tmp_path)).origin.epoch == 24
    assert len(counted) == 2
    assert (tmp_path / "miiii" / "analysis").read_text() == "a file"


def test_progress_is_told_per_snapshot(runs):
    shutil.rmtree(runs / "miiii" / "analysis", ignore_errors=True)
    told = []
    measure(opened(runs), lambda done, count: told.append((done, count)))
    count = len(opened(runs).snapshots)
    assert told == [(0, 1), *((done, count) for done in range(1, count + 1))]


def test_a_study_is_measured_as_deep_as_claims_ask(runs, tmp_path, counted):
    names = {"miiii": "training", "nanda": "inside", "waves": "outside"}
    for name in names:
        ignored = shutil.ignore_patterns("analysis")
        shutil.copytree(runs / name, tmp_path / name, ignore=ignored)
    told = []
    study = {name: [opened(tmp_path, name)] for name in names} | {"basis": []}
    found = measure_runs(study, lambda *words: told.append(words))
    assert list(found) == list(names)
    assert counted == list(names.values())
    assert told == [(name, 0, 1) for name in names]
    assert depth_for("basis") == "inside"
    assert depth_for("tenfold") == "training"
    assert depth_for("lambda-0") == depth_for("masked") == "outside"


def test_a_run_without_a_validation_is_refused_or_left_out(runs, tmp_path):
    shutil.copytree(runs / "miiii", tmp_path / "miiii", ignore=shutil.ignore_patterns("analysis"))
    shutil.rmtree(tmp_path / "miiii" / "history")
    message = "run miiii cannot be measured: expected at least one validation, found none"
    with pytest.raises(ValueError, match=message):
        measure(opened(tmp_path))
    assert measure_runs({"miiii": [opened(tmp_path)]}) == {}


def test_a_run_without_any_weights_is_refused(runs, tmp_path):
    shutil.copytree(runs / "miiii", tmp_path / "miiii", ignore=shutil.ignore_patterns("analysis"))
    for path in (tmp_path / "miiii" / "snapshots").iterdir():
        path.unlink()
    with pytest.raises(RunError, match=naming("weights")):
        measure(opened(tmp_path))


@pytest.mark.parametrize("rows", [1, 2, 7, 40, 101])
def test_late_gain_compares_the_end_with_a_tenth_before(rows):
    assert measuring.late_gain(np.ones(rows)) == 0
    rising = measuring.late_gain(np.arange(rows) / 100)
    if rows >= 10:
        assert rising == pytest.approx(np.ceil(rows / 10) / 100)
    else:
        assert 0 <= rising <= rows / 100
