"""Train a stored study in a process of its own: `python training_script.py STUDY WORKERS`."""

import sys
from pathlib import Path

from miiii.cli.machine import prepare_jax
from miiii.studies.crew import Workers
from miiii.studies.jobs import make_jobs, survey
from miiii.studies.study import Study, open_study
from miiii.studies.train import Agenda, train_study


def untimed_agenda(study: Study, workers: int) -> Agenda:
    """What `make_agenda` finds, without the epochs that it times."""
    found = survey(study)
    jobs = tuple(make_jobs(study, found))
    return Agenda(found, jobs, (1.0,) * len(jobs), workers)


def main(path: Path, workers: int) -> None:
    prepare_jax()
    study = open_study(path)
    with study.lock(), Workers(workers) as crew:
        print(train_study(study, untimed_agenda(study, workers), crew).state)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
