#!/usr/bin/env bash
# Guess: of several trials with the best value, study.best_trial is the one with the lowest number,
#   whatever the storage.
# What happens: in memory it is the one that finished first; in SQLite and in a journal the one with
#   the lowest number.
# Whom it hurts: whoever searches for a value with a ceiling (tasks solved, accuracy 1) with several
#   workers: which settings are "the best" depends on where the study is kept.
source "$(dirname "$0")/common.bash"
packages optuna==5.0.0 sqlalchemy==2.1.9

python - "$folder" <<'PYTHON'
import sys

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.WARNING)
folder = sys.argv[1]
storages = {
    "memory": None,
    "SQLite": f"sqlite:///{folder}/study.db",
    "journal": JournalStorage(JournalFileBackend(f"{folder}/study.log")),
}
best = {}
for name, storage in storages.items():
    study = optuna.create_study(storage=storage, direction="maximize")
    trials = [study.ask() for _ in range(4)]
    for number in (2, 0, 3, 1):  # as workers finish
        study.tell(trials[number], 29)
    best[name] = study.best_trial.number
print("four trials with 29 tasks solved, number 2 finished first; the best trial is", best)
assert best == {"memory": 2, "SQLite": 0, "journal": 0}
PYTHON
