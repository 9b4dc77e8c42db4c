"""Names of Optuna and submitit that they do not document, each with the version it was read from.

They may change with any release. What uses them asks here, so that this file is where to look then.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, RDBStorage
    from optuna.trial import FrozenTrial


def id_of(trial: "FrozenTrial") -> int:
    """The number by which a storage knows a trial, not its public one (Optuna 5.0.0)."""
    return trial._trial_id


def database_of(storage: "BaseStorage") -> "RDBStorage | None":
    """The database behind the cache that Optuna puts in front of one; None for others (5.0.0)."""
    from optuna.storages import _CachedStorage

    return storage._backend if isinstance(storage, _CachedStorage) else None


def trial_table() -> Any:
    """Optuna's table of trials: columns trial_id, number, study_id, state and others (5.0.0)."""
    from optuna.storages._rdb.models import TrialModel

    return TrialModel


def submission_text(executor: Any) -> str:
    """The file that submitit hands to sbatch, with the job's command (submitit 1.5.4)."""
    return executor._make_submission_file_text(executor._submitit_command_str, "")
