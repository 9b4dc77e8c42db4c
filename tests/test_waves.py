"""The cosine model of Appendix D is learnt, not only fitted: seconds of real training."""

from dataclasses import replace

import numpy as np
import pytest

import miiii
from miiii.analysis.parts.waves_fit import waves_fit


@pytest.mark.slow
def test_the_cosine_model_is_right_on_every_number(tmp_path):
    config = miiii.replace_fields(
        miiii.get_preset("waves"),
        base=23,
        train_fraction=0.7,
        weight_decay=0.1,
        epochs=600,
        decay_start=300,
        decay_epochs=300,
    )
    assert miiii.start([config], ["waves"], tmp_path).state == "finished"
    run = miiii.load_run(tmp_path / "waves")
    fit = waves_fit(run.parameters)
    assert fit.mean_squared_error < 1e-3
    # also where it was never shown
    unseen = np.setdiff1d(np.arange(23**2), run.dataset.split.train)
    assert len(unseen) > 150
    assert np.mean(fit.residual.ravel()[unseen] ** 2) < 2e-3
    # and by what the MLP computes: without it the rest is far off
    block = run.parameters.blocks[0]
    silenced = replace(block, mlp_out=np.zeros_like(block.mlp_out))
    assert waves_fit(replace(run.parameters, blocks=(silenced,))).mean_squared_error > 0.01
