"""The benchmark's PyTorch step trains what this package trains: the losses of some epochs."""

import numpy as np
from benchmarks.peers import TorchPeer

from miiii import replace_fields
from miiii.experiment.program import numerics
from torch_beside import site_packages
from training.tiny import TINY, as_numpy, compiled

CONFIG = replace_fields(
    TINY,
    precision="float64",
    dropout=0.0,
    warmup_epochs=0,
    decay_start=0,
    decay_epochs=0,
    task_reduction="mean",
    filter_start="zeros",
)


def test_the_losses_of_each_epoch_are_ours():
    peer = TorchPeer(CONFIG, site_packages().parents[2] / "bin" / "python")
    try:
        found = peer.ask("losses", 10)
        assert peer.ask("seconds", 1) > 0
    finally:
        peer.close()
    trainer = compiled(CONFIG)
    program = trainer.program
    with numerics(program.batch.setting):
        _, record = program.chunk(program.place(trainer.initial), 0, 10, program.inputs)
    expected = as_numpy(record).train.train.loss[:10, 0]
    assert expected[-1].sum() < 0.9 * expected[0].sum()
    np.testing.assert_allclose(found, expected, rtol=1e-9)
