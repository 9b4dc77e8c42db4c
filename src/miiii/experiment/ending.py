"""The stopping rules of a batch: which runs have ended, when the others can end, which go on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from miiii.config.config import Config, replace_fields
from miiii.experiment.members import Member
from miiii.runs.listing import STOPPED_KEY
from miiii.runs.stopping import StoppingRule


class Endings:
    """Follows the validations of a batch's runs, first the stored ones of the `done` epochs."""

    def __init__(self, members: Sequence[Member], done: int) -> None:
        self._rules = [_rule(member) for member in members]
        self._trained = [_trained(member.config) for member in members]
        self._since: list[int | None] = [None for _ in members]
        if done:
            self.take(
                [
                    member.directory.history(done) if rule and member.recorded else {}
                    for member, rule in zip(members, self._rules, strict=True)
                ]
            )

    def take(self, rows: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Take in the rows of the runs' next validations, a mapping per run."""
        for index, (rule, found) in enumerate(zip(self._rules, rows, strict=True)):
            if rule is not None and len(found.get("validation_epoch", ())):
                accuracy = found["validation_accuracy"][:, self._trained[index]]
                self._since[index] = rule.held_since(
                    found["validation_epoch"], accuracy, self._since[index]
                )

    def possible(self, members: Sequence[Member], done: int) -> list[int]:
        """For each run that still trains, the first epoch after `done` at which it can end."""
        return [
            rule.earliest_end(done, since)
            for member, rule, since in zip(members, self._rules, self._since, strict=True)
            if rule is not None and member.recorded
        ]

    def met(self, members: Sequence[Member], done: int) -> dict[int, int]:
        """Index of every run that ends after `done` epochs, with the epoch since which it holds."""
        return {
            index: since
            for index, (member, rule, since) in enumerate(
                zip(members, self._rules, self._since, strict=True)
            )
            if rule is not None
            and member.recorded
            and since is not None
            and rule.is_met(done, since)
        }


def has_ended(member: Member) -> bool:
    """Whether its stopping rule has ended a run, and its present rule would end it as well."""
    if not member.present or _rule(member) is None:
        return False
    status = member.directory.status
    if status.get("state") != "finished" or STOPPED_KEY not in status:
        return False
    done = int(status["epoch"])
    return bool(Endings([member], done).met([member], done))


def settle_batch(members: Sequence[Member], rule: Mapping[str, float]) -> list[Member]:
    """Decide which runs of a batch go on, where its runs ended at different epochs.

    A run that its rule has ended keeps its place in the batch and is not saved. If the chosen run
    had ended and goes on, because its rule was changed, it goes on without the others.

    Args:
        members: as `find_members` gives them.
        rule: changed settings of the stopping rule, for the chosen run and those that go on with
            it.

    Raises:
        ValueError: a value of the rule is out of its limits.
    """
    own = next(member for member in members if member.chosen)
    goes_alone = STOPPED_KEY in own.directory.status
    own = replace(own, config=replace_fields(own.config, **rule))
    goes_alone &= not has_ended(own)
    settled = []
    for member in members:
        if member.chosen:
            done = int(own.directory.status.get("epoch") or 0)
            settled.append(replace(own, ended=done if has_ended(own) else None))
        elif not member.present or goes_alone:
            settled.append(replace(member, present=False, config=own.config))
        elif has_ended(member):
            ended = int(member.directory.status["epoch"])
            settled.append(replace(member, ended=ended, config=own.config))
        else:
            settled.append(replace(member, config=replace_fields(member.config, **rule)))
    return settled


def stopping_rule(config: Config) -> StoppingRule | None:
    """The rule of a configuration; None where it is off."""
    training = config.training
    if not training.stop_when:
        return None
    _, validation, _ = config.task.split_sizes
    return StoppingRule(
        training.stop_when, training.stop_after, training.validate_every, validation
    )


def _rule(member: Member) -> StoppingRule | None:
    return stopping_rule(member.config) if member.present else None


def _trained(config: Config) -> list[bool]:
    return [modulus not in config.task.masked_tasks for modulus in config.task.task_moduli]
