"""Undocumented names of Optuna and submitit, each with the version in which it was found.

They may change with any release, so that no other file uses them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import FrozenTrial


def id_of(trial: "FrozenTrial") -> int:
    """A trial's number in its storage, not its number in the study (Optuna 5.0.0)."""
    return trial._trial_id


def database_of(storage: "BaseStorage") -> "RDBStorage | None":
    """The database behind Optuna's cache; None for a storage that has no cache (Optuna 5.0.0)."""
    from optuna.storages import _CachedStorage

    return storage._backend if isinstance(storage, _CachedStorage) else None


def trial_table() -> Any:
    """Optuna's table of trials, with columns trial_id, number, study_id, state (Optuna 5.0.0)."""
    from optuna.storages._rdb.models import TrialModel

    return TrialModel


def submission_text(executor: Any) -> str:
    """The file that submitit hands to sbatch, with the job's command (submitit 1.5.4)."""
    return executor._make_submission_file_text(executor._submitit_command_str, "")
