"""The ledger of a study from its measurements."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from miiii.claims.evidence import Evidence, has_generalised
from miiii.claims.finding import Finding
from miiii.claims.judges import (
    attention,
    controls,
    embeddings,
    frequencies,
    further_training,
    further_work,
    merging,
    performance,
    periodicity,
    primality,
)
from miiii.claims.ledger import ExperimentSummary, Ledger
from miiii.claims.measurements import Measurements
from miiii.claims.rules.further_work import EXPERIMENTS as BEYOND_EXPERIMENTS
from miiii.claims.rules.further_work import QUESTIONS
from miiii.claims.settings import beside_the_paper, judged_under

JUDGES: dict[str, Callable[[Evidence], Finding]] = {
    "C1": performance.all_tasks_generalise,
    "C2": performance.first_four_come_first,
    "C3": performance.others_come_together,
    "C4": controls.no_convergence_without_filter,
    "C5": controls.validation_diverges_without_dropout,
    "C6": periodicity.neurons_are_periodic,
    "C7": periodicity.basis_is_not_periodic,
    "C8": periodicity.neurons_need_few_frequencies,
    "C9": frequencies.frequencies_appear_afterwards,
    "C10": embeddings.positions_alike_or_opposed,
    "C11": embeddings.singular_values_more_diffuse,
    "C12": embeddings.leading_vectors_are_periodic,
    "C13": embeddings.embedding_frequencies_few_and_many,
    "C14": attention.heads_look_at_one_digit,
    "C15": attention.attention_settles_early,
    "C16": controls.masking_prevents_the_others,
    "C17": frequencies.first_four_count_like_nanda,
    "C18": merging.circuits_merge_afterwards,
    "C19": primality.tasks_test_primality,
}
"""One pure function per claim."""

ANSWERS: dict[str, Callable[[Evidence], Finding]] = {
    "B1": further_work.smallest_are_missed,
    "B2": further_work.divisibility_is_learnt,
    "B3": further_work.chosen_frequencies_speed,
    "B4": further_training.stablemax_replaces_regularisation,
    "B5": further_training.orthogonal_gradient_replaces_regularisation,
    "B6": further_training.solved_stays_solved,
    "B7": further_training.circuits_merge_in_long_training,
}
"""One pure function per question of the further work."""


def judge(study: Mapping[str, Sequence[Measurements]], name: str = "study") -> Ledger:
    """Judge every claim, and every question of the further work that runs were trained for.

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
    beside = beside_the_paper(evidence.runs["miiii"])
    return Ledger(name, findings, summaries, _versions(evidence), beside)


def _with_settings(finding: Finding, evidence: Evidence) -> Finding:
    runs = [run for key in finding.claim.experiments for run in evidence.runs[key]]
    return replace(finding, under=judged_under(runs))


def _asked(evidence: Evidence) -> list[Callable[[Evidence], Finding]]:
    """The questions with a run of an experiment that no claim of the paper uses."""
    return [
        answer
        for name, answer in ANSWERS.items()
        if any(
            evidence.runs[key] for key in QUESTIONS[name].experiments if key in BEYOND_EXPERIMENTS
        )
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
