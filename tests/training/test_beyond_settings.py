"""Runs with the settings of the further work are interrupted and go on, bit for bit."""

from command import assert_equal_runs
from miiii import from_toml, replace_fields
from miiii.config.config import differences
from miiii.experiment import training as experiment
from miiii.experiment.progress import Silent
from miiii.runs.directory import RunDirectory
from training.tiny import TINY

CONFIG = replace_fields(
    TINY,
    filter="ema_on_tasks",
    filter_tasks=(2, 3),
    orthogonal_gradient=True,
    normaliser="stablemax",
    minibatches=2,
)


def test_an_interrupted_run_equals_a_whole_one(tmp_path):
    whole = experiment.start([CONFIG], ["whole"], tmp_path)
    assert whole.state == "finished"
    seen = Seen()
    cut = experiment.start(
        [CONFIG], ["cut"], tmp_path, progress=seen, stop=lambda: seen.chunks >= 2
    )
    assert cut.state == "interrupted"
    assert 0 < cut.done < CONFIG.training.epochs
    resumed = experiment.resume("cut", tmp_path)
    assert (resumed.state, resumed.done) == ("finished", CONFIG.training.epochs)
    assert_equal_runs(tmp_path / "whole", tmp_path / "cut")
    directory = RunDirectory(tmp_path / "cut")
    assert differences(from_toml(directory.config_text), CONFIG) == {}
    names = directory.load_checkpoint().arrays
    assert names["optimiser.0.average"].shape[1] == CONFIG.model.width
    assert names["optimiser.0.average"].any()


class Seen(Silent):
    """Counts chunks."""

    chunks = 0

    def advanced(self, report):
        self.chunks += 1
