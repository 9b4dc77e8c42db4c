"""What a run's last bits depend on beside its settings, as its provenance has it.

Two runs of one configuration are equal bit for bit on a CPU under equal conditions: the same
versions, the same number of threads, the same flags of XLA and JAX, and a batch of as many runs.
Conditions are recorded when a run starts and, under `resumed`, whenever training goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from miiii import __version__

DECIDING = ("miiii", "jax", "jaxlib", "optax", "numpy")
"""Packages whose versions decide a run's last bits; provenance names more."""
RESUMED_KEY = "resumed"

Record = Mapping[str, Any]


class Change(NamedTuple):
    """One condition that is not what it was."""

    what: str
    old: str
    new: str


def changes(before: Record, now: Record) -> list[Change]:
    """The conditions in which two records differ; what either does not have is passed over.

    The number of threads counts on a CPU only.
    """
    pairs = [
        *((name, _of(before, "versions", name), _of(now, "versions", name)) for name in DECIDING),
        *((f"device {part}", _of(before, "device", part), _of(now, "device", part))
          for part in ("platform", "kind")),
        ("devices", before.get("devices"), now.get("devices")),
    ]  # fmt: skip
    if _of(now, "device", "platform") == _of(before, "device", "platform") == "cpu":
        pairs.append(("threads", before.get("threads"), now.get("threads")))
    flags = {**(before.get("flags") or {}), **(now.get("flags") or {})}
    pairs += [(name, _of(before, "flags", name), _of(now, "flags", name)) for name in flags]
    return [
        Change(what, _shown(old), _shown(new))
        for what, old, new in pairs
        if old is not None and new is not None and old != new
    ]


def last_conditions(provenance: Record, done: int) -> Record:
    """The conditions under which a run trained its epoch `done`."""
    earlier = resumptions(provenance, done)
    return earlier[-1] if earlier else provenance


def resumptions(provenance: Record, done: int | None = None) -> list[Record]:
    """The records of going on, first to last.

    Args:
        provenance: of the run.
        done: epochs that are kept: what a later record trained is gone.
    """
    found = provenance.get(RESUMED_KEY)
    entries = [entry for entry in found if isinstance(entry, Mapping)] if found else []
    return entries if done is None else [entry for entry in entries if entry["epoch"] < done]


def changes_on_resuming(provenance: Record) -> list[tuple[Record, list[Change]]]:
    """Every record of going on with what changed since the one before it.

    Where nothing had been trained before, the conditions of the start decided nothing.
    """
    found, before = [], None if _began_anew(provenance) else provenance
    for entry in resumptions(provenance):
        found.append((entry, [] if before is None else changes(before, entry)))
        before = entry
    return found


def _began_anew(provenance: Record) -> bool:
    entries = resumptions(provenance)
    return bool(entries) and entries[0].get("epoch") == 0


def has_changed(provenance: Record) -> bool:
    """Whether a run went on under other conditions than it began under."""
    return any(changed for _, changed in changes_on_resuming(provenance))


def resumption_lines(provenance: Record) -> list[str]:
    """One line per time that training went on."""
    return [
        f"resumed after epoch {entry.get('epoch', 0):,} ({entry.get('time')}): "
        + (changes_text(changed) if changed else "under the same conditions")
        for entry, changed in changes_on_resuming(provenance)
    ]


def changes_text(found: Sequence[Change]) -> str:
    """What changed, from what to what."""
    return ", ".join(f"{what} was {old}, is {new}" for what, old, new in found)


def conditions_text(record: Record) -> str:
    """Threads, devices and flags; empty for a run from before they were recorded."""
    parts = []
    if record.get("threads") is not None:
        count = record["threads"]
        parts.append(f"{count} thread" + ("s" if count != 1 else ""))
    if (record.get("devices") or 1) > 1:
        parts.append(f"{record['devices']} devices")
    flags = record.get("flags") or {}
    if flags.get("XLA_FLAGS"):
        parts.append(f"XLA_FLAGS {flags['XLA_FLAGS']}")
    return ", ".join(parts)


def batch_size(provenance: Record) -> int:
    """How many runs trained together as one program, this one included."""
    batch = provenance.get("batch")
    names = batch.get("names") if isinstance(batch, Mapping) else None
    return len(names) if names else 1


def made_by(provenance: Record) -> str:
    """Which version of miiii made a run, and which this is; empty where it is not known."""
    version = _of(provenance, "versions", "miiii")
    return f"(the run was made by miiii {version}, this is {__version__})" if version else ""


def _of(record: Record, group: str, name: str) -> Any:
    found = record.get(group)
    return found.get(name) if isinstance(found, Mapping) else None


def _shown(value: Any) -> str:
    return "unset" if value == "" else str(value)
