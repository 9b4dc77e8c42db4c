"""A study's measurements in, the ledger out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from miiii.claims.evidence import Evidence, has_generalised
from miiii.claims.finding import Finding
from miiii.claims.judges.attention import attention_settles_early, heads_look_at_one_digit
from miiii.claims.judges.controls import (
    masking_prevents_the_others,
    no_convergence_without_filter,
    validation_diverges_without_dropout,
)
from miiii.claims.judges.embeddings import (
    embedding_frequencies_few_and_many,
    leading_vectors_are_periodic,
    positions_alike_or_opposed,
    singular_values_more_diffuse,
)
from miiii.claims.judges.frequencies import (
    first_four_count_like_nanda,
    frequencies_appear_afterwards,
)
from miiii.claims.judges.further_training import (
    circuits_merge_in_long_training,
    orthogonal_gradient_replaces_regularisation,
    solved_stays_solved,
    stablemax_replaces_regularisation,
)
from miiii.claims.judges.further_work import (
    chosen_frequencies_speed,
    divisibility_is_learnt,
    smallest_are_missed,
)
from miiii.claims.judges.merging import circuits_merge_afterwards
from miiii.claims.judges.performance import (
    all_tasks_generalise,
    first_four_come_first,
    others_come_together,
)
from miiii.claims.judges.periodicity import (
    basis_is_not_periodic,
    neurons_are_periodic,
    neurons_need_few_frequencies,
)
from miiii.claims.judges.primality import tasks_test_primality
from miiii.claims.ledger import ExperimentSummary, Ledger
from miiii.claims.measurements import Measurements
from miiii.claims.rules.further_work import EXPERIMENTS as BEYOND_EXPERIMENTS
from miiii.claims.rules.further_work import QUESTIONS
from miiii.claims.settings import beside_the_paper, judged_under

JUDGES: dict[str, Callable[[Evidence], Finding]] = {
    "C1": all_tasks_generalise,
    "C2": first_four_come_first,
    "C3": others_come_together,
    "C4": no_convergence_without_filter,
    "C5": validation_diverges_without_dropout,
    "C6": neurons_are_periodic,
    "C7": basis_is_not_periodic,
    "C8": neurons_need_few_frequencies,
    "C9": frequencies_appear_afterwards,
    "C10": positions_alike_or_opposed,
    "C11": singular_values_more_diffuse,
    "C12": leading_vectors_are_periodic,
    "C13": embedding_frequencies_few_and_many,
    "C14": heads_look_at_one_digit,
    "C15": attention_settles_early,
    "C16": masking_prevents_the_others,
    "C17": first_four_count_like_nanda,
    "C18": circuits_merge_afterwards,
    "C19": tasks_test_primality,
}
"""One pure function per claim."""

ANSWERS: dict[str, Callable[[Evidence], Finding]] = {
    "B1": smallest_are_missed,
    "B2": divisibility_is_learnt,
    "B3": chosen_frequencies_speed,
    "B4": stablemax_replaces_regularisation,
    "B5": orthogonal_gradient_replaces_regularisation,
    "B6": solved_stays_solved,
    "B7": circuits_merge_in_long_training,
}
"""One pure function per question of the further work."""


def judge(study: Mapping[str, Sequence[Measurements]], name: str = "study") -> Ledger:
    """Judge every claim, and every question of the further work that has runs of its own.

    Args:
        study: experiment (of `evidence.EXPERIMENTS`) to measurements, one per seed; experiments
            and seeds may be missing.
        name: the study's.

    Raises:
        ValueError: an experiment is unknown, or two of its runs have one seed.
    """
    evidence = Evidence.gather(study)
    findings = tuple(
        _with_settings(rule(evidence), evidence) for rule in (*JUDGES.values(), *_asked(evidence))
    )
    summaries = tuple(_summary(key, runs) for key, runs in evidence.runs.items() if runs)
    beside = beside_the_paper(evidence.of("miiii"))
    return Ledger(name, findings, summaries, _versions(evidence), beside)


def _with_settings(finding: Finding, evidence: Evidence) -> Finding:
    runs = [run for key in finding.claim.experiments for run in evidence.of(key)]
    return replace(finding, under=judged_under(runs))


def _asked(evidence: Evidence) -> list[Callable[[Evidence], Finding]]:
    """The questions that some run was trained for; what the paper's claims need does not count."""
    return [
        answer
        for name, answer in ANSWERS.items()
        if any(evidence.of(key) for key in QUESTIONS[name].experiments if key in BEYOND_EXPERIMENTS)
    ]


def _summary(experiment: str, runs: Sequence[Measurements]) -> ExperimentSummary:
    origin = runs[0].origin
    return ExperimentSummary(
        experiment=experiment,
        task=origin.task,
        base=origin.base,
        width=origin.width,
        seeds=tuple(run.origin.seed for run in runs),
        epochs=tuple(run.origin.epoch for run in runs),
        generalised=tuple(has_generalised(run) for run in runs),
        optimiser=origin.optimiser,
        learning_rate=origin.learning_rate,
        weight_decay=origin.weight_decay,
        filter_strength=origin.filter_strength,
        dropout=origin.dropout,
        train_fraction=origin.train_fraction,
        masked=origin.masked,
        precision=origin.precision,
        device=origin.device,
    )


def _versions(evidence: Evidence) -> dict[str, str]:
    found: dict[str, dict[str, None]] = {}
    for runs in evidence.runs.values():
        for run in runs:
            for package, version in run.origin.versions.items():
                found.setdefault(package, {})[version] = None
    return {package: " and ".join(versions) for package, versions in found.items()}
