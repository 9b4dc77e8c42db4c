"""A study whose runs train for a moment: all files are there, and nothing is learnt."""

from dataclasses import replace
from pathlib import Path

from miiii import replace_fields, start
from miiii.studies.jobs import make_jobs, survey
from miiii.studies.plan import plan
from miiii.studies.study import Study

CHANGES = {"epochs": 30, "snapshots": 8, "width": 16, "heads": 2}


def make_study(folder: Path, only: tuple[str, ...], seeds: int) -> Study:
    """Plan, save and train it. Experiments that differ in batched fields cost one compilation."""
    whole = plan("small", "tiny", seeds, only)
    short = replace(
        whole,
        base=replace_fields(whole.base, **CHANGES),
        configs={key: replace_fields(one, **CHANGES) for key, one in whole.configs.items()},
    )
    study = Study(folder, short)
    study.save()
    for job in make_jobs(study, survey(study), batch=16):
        configs = [run.config for run in job.runs]
        outcome = start(configs, job.names, study.runs_dir, command=["miiii", "reproduce", "…"])
        assert outcome.state == "finished"
    return study
