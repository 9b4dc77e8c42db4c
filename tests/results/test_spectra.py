"""A spectrum per snapshot: computed once, read by all who need it, and never of other weights."""

import numpy as np
import pytest

import miiii
from miiii import get_preset, replace_fields
from miiii.analysis.harmonics.fourier import spectrum_2d
from miiii.report.page.slider import moving_pictures
from miiii.results import spectra
from miiii.results.measurements import frequencies
from miiii.results.paper import Results
from miiii.training.state import to_arrays
from results.stored_runs import SNAPSHOTS, store, weights
from wording import naming

CONFIG = replace_fields(get_preset("tiny"), base=7, width=8, heads=2, epochs=24, snapshots=24)


@pytest.fixture
def run(tmp_path):
    store(tmp_path, "run", CONFIG)
    return miiii.load_run(tmp_path / "run")


@pytest.fixture
def calls(monkeypatch):
    """How many snapshots' spectra are computed."""
    made = []

    def counting(parameters):
        made.append(parameters)
        return compute(parameters)

    compute = spectra.model_calibrated_spectrum
    monkeypatch.setattr(spectra, "model_calibrated_spectrum", counting)
    return made


def test_all_who_need_it_read_one_spectrum_per_snapshot(run, calls):
    measured = frequencies(run)
    assert len(calls) == len(SNAPSHOTS)
    drawn = Results(miiii.load_run(run.path))
    pictures = moving_pictures(drawn)
    assert len(calls) == len(SNAPSHOTS)
    assert measured.counts == tuple(drawn.spectra.counts.tolist())
    assert measured.calibrated == tuple(drawn.spectra.calibrated_counts.tolist())
    assert len(pictures) == 6


def test_what_is_read_is_what_was_computed_to_the_last_bit(run, calls):
    first = dict(spectra.snapshot_spectra(run))
    again = dict(spectra.snapshot_spectra(miiii.load_run(run.path)))
    assert len(calls) == len(first) == len(again)
    for epoch, one in first.items():
        other = again[epoch]
        assert (one.multiple, one.spectrum.neurons) == (other.multiple, other.spectrum.neurons)
        for name in ("frequencies", "null_counts"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.spectrum.power.tobytes() == other.spectrum.power.tobytes()


def test_the_spectrum_is_of_the_snapshot_s_neurons(run):
    found = dict(spectra.snapshot_spectra(run, [9]))
    (block,) = run.snapshots[9].blocks
    middle = np.asarray(run.activations(epoch=9).blocks[0].residual_mid)[:, -1]
    hidden = np.maximum(middle.astype(np.float64) @ np.asarray(block.mlp_in, np.float64), 0)
    grids = hidden.T.reshape(-1, 7, 7)
    power = spectrum_2d(grids - grids.mean(axis=(1, 2), keepdims=True), centred=True)
    np.testing.assert_allclose(found[9].spectrum.power, power.mean(axis=0) / 49, rtol=1e-4)


def test_one_snapshot_first_and_the_others_when_they_are_asked_for(run, calls):
    assert [epoch for epoch, _ in spectra.snapshot_spectra(run, [24])] == [24]
    assert len(calls) == 1
    assert [epoch for epoch, _ in spectra.snapshot_spectra(run)] == list(SNAPSHOTS)
    assert len(calls) == len(SNAPSHOTS)


def test_other_weights_at_the_same_epoch_are_computed_again(run, calls):
    before = dict(spectra.snapshot_spectra(run))
    _, metadata = run.directory.load_snapshot(9)
    run.directory.save_snapshot(
        9, to_arrays(weights(CONFIG, 77)), {"identity": metadata["identity"]}
    )
    after = dict(spectra.snapshot_spectra(miiii.load_run(run.path)))
    assert len(calls) == len(SNAPSHOTS) + 1
    assert not np.array_equal(after[9].spectrum.power, before[9].spectrum.power)
    np.testing.assert_array_equal(after[3].spectrum.power, before[3].spectrum.power)


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_file_that_cannot_be_read_is_made_again(run, calls, content):
    whole = dict(spectra.snapshot_spectra(run))
    path = run.path / spectra.NAME
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    again = dict(spectra.snapshot_spectra(run))
    assert len(calls) == 2 * len(SNAPSHOTS)
    np.testing.assert_array_equal(whole[24].spectrum.power, again[24].spectrum.power)


def test_what_was_computed_before_an_interruption_is_kept(run, calls):
    each = spectra.snapshot_spectra(run)
    next(each)
    next(each)
    each.close()
    list(spectra.snapshot_spectra(run))
    assert len(calls) == len(SNAPSHOTS)


def test_a_run_without_snapshots_is_refused(tmp_path):
    store(tmp_path, "none", CONFIG, snapshots=())
    with pytest.raises(ValueError, match=naming("snapshots")):
        spectra.snapshot_spectra(miiii.load_run(tmp_path / "none"))
