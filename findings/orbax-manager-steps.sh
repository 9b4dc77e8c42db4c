#!/usr/bin/env bash
# Guess: CheckpointManager.latest_step() is the largest step in the folder.
# What happens: it is the step that this manager saved last, or after reload() the largest in the folder.
#   A manager that was made before another one saved into its folder gives None after those saves. One
#   that saved step 3 (with force=True) after step 20 gives 3. all_steps(read=True) and reload() read the
#   folder again. With save_interval_steps=10 the last of 23 epochs is not saved: save returns False.
# Whom it hurts: whoever evaluates checkpoints beside a training, saves an earlier step again in the same
#   folder, or stops at an epoch that the interval does not divide.
source "$(dirname "$0")/common.bash"
packages "jax==${JAX_VERSION:-0.10.2}" orbax-checkpoint==0.12.8 numpy==2.4.6

python -W ignore - <<'PYTHON'
import logging
import tempfile

import jax.numpy as jnp
import orbax.checkpoint as ocp

logging.disable()
weights = ocp.args.StandardSave({"weights": jnp.ones(2)})
with tempfile.TemporaryDirectory() as folder:
    watcher = ocp.CheckpointManager(folder)
    training = ocp.CheckpointManager(folder, options=ocp.CheckpointManagerOptions(save_interval_steps=10))
    saved = {epoch: training.save(epoch, args=weights) for epoch in range(1, 24)}
    training.wait_until_finished()
    print("save returned True at the epochs", [epoch for epoch, done in saved.items() if done], "of 1 to 23")
    assert [epoch for epoch, done in saved.items() if done] == [1, 10, 20]
    print("the manager that saved: latest step", training.latest_step())
    print("the one that watches:   latest step", watcher.latest_step(), "all steps", watcher.all_steps())
    assert training.latest_step() == 20
    assert watcher.latest_step() is None
    print("the same, all_steps(read=True):", sorted(watcher.all_steps(read=True)))
    assert sorted(watcher.all_steps(read=True)) == [1, 10, 20]

    assert training.save(3, args=weights, force=True)
    training.wait_until_finished()
    print("after saving step 3 with force=True: latest step", training.latest_step())
    assert training.latest_step() == 3
    training.reload()
    print("after reload(): latest step", training.latest_step())
    assert training.latest_step() == 20
    watcher.close()
    training.close()
PYTHON
