"""Train a stored study in a process of its own: `python training_script.py STUDY WORKERS`."""

import sys
from pathlib import Path

from miiii.studies.jobs import make_jobs, survey
from miiii.studies.study import Study, open_study
from miiii.studies.train import Agenda, train_study


def untimed_agenda(study: Study, workers: int, batch: int = 0) -> Agenda:
    """What `make_agenda` finds, without the epochs that it times."""
    found = survey(study)
    jobs = tuple(make_jobs(study, found, batch or 1))
    return Agenda(found, jobs, (1.0,) * len(jobs), workers, batch)


def main(path: Path, workers: int) -> None:
    study = open_study(path)
    print(train_study(study, untimed_agenda(study, workers)).state)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
