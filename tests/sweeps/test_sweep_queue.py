"""Taking, giving back and taking over trials: each is had by one worker, none is lost."""

import errno
import fcntl
import multiprocessing
from collections import Counter
from types import SimpleNamespace

import pytest
from optuna.trial import TrialState
from small_sweeps import make

from miiii.runs import locking
from miiii.runs.directory import RunDirectory
from miiii.runs.locking import lock_directory
from miiii.sweeps.queue import queue as queue_module
from miiii.sweeps.queue.attempts import (
    BATCH,
    CONTINUES,
    DUPLICATE,
    LOST,
    REASON,
    RELEASED,
    RUN,
    VANISHED,
)
from miiii.sweeps.queue.sweep import open_sweep
from wording import says

PATIENT = 1e6


@pytest.fixture
def clock(monkeypatch):
    """The queue's own clock, moved by hand."""

    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    moved = Clock()
    monkeypatch.setattr(queue_module, "time", moved)
    return moved


def trials(sweep):
    return sweep.storage.get_all_trials(sweep.study_id)


def states(sweep):
    return Counter(trial.state.name for trial in trials(sweep))


def test_a_trial_is_had_by_one_worker(tmp_path):
    sweep = make(tmp_path)
    one, other = sweep.queue(60), open_sweep("probe", tmp_path).queue(60)
    taken = [*one.claim(4), *other.claim(4), *one.claim(4)]
    assert sorted(held.number for held in taken) == list(range(6))
    assert one.claim() == other.claim() == []
    assert {held.run for held in taken} == {f"trial-{number:06d}" for number in range(6)}


def test_a_silent_trial_whose_lock_cannot_be_asked_waits_for_its_user(tmp_path, clock, monkeypatch):
    sweep = make(tmp_path)
    dead, watcher = sweep.queue(10), sweep.queue(10)
    (held,) = dead.claim()
    dead.beat()
    run = RunDirectory.create(sweep.runs_dir, held.run, files={"status.json": b"{}"})
    (run.path / "lock").write_text("4242\nnode17\n1\n")

    def refuse(descriptor, how):
        raise OSError(errno.ENOSYS, "Function not implemented")

    # Of the runs' disk only: the journal's locks work.
    no_flock = SimpleNamespace(flock=refuse, LOCK_SH=fcntl.LOCK_SH, LOCK_NB=fcntl.LOCK_NB)
    monkeypatch.setattr(locking, "fcntl", no_flock)
    assert watcher.watch() == watcher.unsure() == []
    clock.now = 1000.0
    assert watcher.watch() == []
    (line,) = watcher.unsure()
    assert says(line, f"{held.run} life {dead.worker} 10 s not")
    assert says(line, "process 4242 node17")
    assert f"remove {run.path / 'lock'}" in line
    assert watcher.watch() == watcher.unsure() == []  # told once
    # As the line says.
    (run.path / "lock").unlink()
    assert watcher.watch() == [held.run]
    assert watcher.unsure() == []


def test_a_batch_takes_what_fits_the_first(tmp_path):
    held = make(tmp_path).queue(60).claim(6, lambda a, b: a.params["width"] == b.params["width"])
    assert len(held) == 3
    assert len({each.params["width"] for each in held}) == 1


def test_a_silent_worker_loses_its_trial_once_and_its_result_does_not_count(tmp_path, clock):
    sweep = make(tmp_path)
    dead, first, second = sweep.queue(10), sweep.queue(10), sweep.queue(10)
    (held,) = dead.claim()
    dead.beat({held.number: 3})
    assert first.watch() == second.watch() == []
    clock.now = 9.0
    assert first.watch() == []
    dead.beat({held.number: 4})
    clock.now = 12.0
    assert first.watch() == [], "a new sign of life starts the clock anew"
    clock.now = 23.0
    assert first.watch() == [held.run]
    assert second.watch() == []
    (successor,) = second.claim()
    assert successor.run == held.run
    assert successor.params == held.params
    assert successor.lost == 1
    assert not dead.end(held.id, TrialState.COMPLETE, [0.0])
    assert second.end(successor.id, TrialState.COMPLETE, [1.0])
    done = [trial for trial in trials(sweep) if trial.state == TrialState.COMPLETE]
    assert [(trial.values, trial.user_attrs[RUN]) for trial in done] == [([1.0], held.run)]


def test_a_run_that_a_process_holds_is_slow_and_not_gone(tmp_path, clock):
    sweep = make(tmp_path)
    slow, other = sweep.queue(10), sweep.queue(10)
    (held,) = slow.claim()
    path = sweep.runs_dir / held.run
    path.mkdir()
    (path / "config.toml").touch()
    other.watch()
    clock.now = 100.0
    with lock_directory(path):
        assert other.watch() == []
    assert other.watch() == [held.run]


def test_what_is_released_goes_on_at_once_and_counts_as_no_loss(tmp_path):
    sweep = make(tmp_path, trials=1)
    one = sweep.queue(PATIENT)
    (held,) = one.claim()
    one.release([held])
    assert states(sweep) == {"FAIL": 1, "WAITING": 1}
    (again,) = sweep.queue(PATIENT).claim()
    assert (again.run, again.lost) == (held.run, 0)
    assert trials(sweep)[0].user_attrs[REASON] == RELEASED


def test_a_run_that_ends_every_worker_is_given_up(tmp_path, clock):
    sweep = make(tmp_path, trials=1)
    watcher = sweep.queue(10)
    for loss in range(3):
        assert sweep.queue(10).claim(), loss
        watcher.watch()
        clock.now += 100
        assert watcher.watch() == ["trial-000000"]
    assert sweep.queue(10).claim() == []
    assert not watcher.is_busy
    assert "3 times" in trials(sweep)[-1].user_attrs[REASON]


def test_a_successor_that_was_not_made_is_made_by_another(tmp_path, clock, monkeypatch):
    sweep = make(tmp_path, trials=1)
    dying, other = sweep.queue(10), sweep.queue(10)
    (held,) = dying.claim()

    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dying.storage, "create_new_trial", die)
        with pytest.raises(KeyboardInterrupt):
            dying.release([held])
    assert states(sweep) == {"FAIL": 1}
    assert other.is_busy, "somebody has to make the successor"
    other.mend()
    assert states(sweep) == {"FAIL": 1}, "who failed it may still be about to"
    clock.now = 11.0
    other.mend()
    assert states(sweep) == {"FAIL": 1, "WAITING": 1}
    assert other.claim()[0].run == held.run


def test_of_two_successors_the_first_counts(tmp_path):
    sweep = make(tmp_path, trials=1)
    one = sweep.queue(PATIENT)
    (held,) = one.claim()
    one.release([held])
    sweep.storage.create_new_trial(sweep.study_id, trials(sweep)[1])
    assert states(sweep) == {"FAIL": 1, "WAITING": 2}
    taken = sweep.queue(PATIENT).claim(5)
    assert [each.number for each in taken] == [1]
    assert trials(sweep)[2].user_attrs[REASON] == DUPLICATE


def test_a_batch_goes_on_as_one(tmp_path, clock):
    sweep = make(tmp_path)
    dead, other = sweep.queue(10), sweep.queue(10)
    group = dead.claim(3)
    dead.together(group)
    other.watch()
    clock.now = 11.0
    assert sorted(other.watch()) == sorted(held.run for held in group)
    waiting = [trial for trial in trials(sweep) if CONTINUES in trial.user_attrs]
    assert all(trial.user_attrs[BATCH] == [held.run for held in group] for trial in waiting)
    taken = sweep.queue(10).claim(1)
    assert {held.run for held in taken} == {held.run for held in group}
    assert all(held.lost == 1 for held in taken)


def test_who_follows_in_a_batch_waits_for_its_first(tmp_path, clock):
    sweep = make(tmp_path)
    dead, other = sweep.queue(10), sweep.queue(10)
    group = dead.claim(3)
    dead.together(group)
    rest = other.claim(3)
    other.release(group)
    first = next(trial for trial in trials(sweep) if trial.user_attrs.get(RUN) == group[0].run)
    sweep.storage.set_trial_state_values(first._trial_id, TrialState.RUNNING)
    assert sweep.queue(10).claim(5) == []
    sweep.storage.set_trial_state_values(first._trial_id, TrialState.COMPLETE, [0.0])
    left = sweep.queue(10).claim(5)
    assert {held.run for held in left} == {held.run for held in group[1:]}
    assert len(rest) == 3


def test_a_failure_of_its_own_making_is_not_tried_again(tmp_path):
    sweep = make(tmp_path, trials=1)
    one = sweep.queue(PATIENT)
    (held,) = one.claim()
    assert one.end(held.id, TrialState.FAIL, reason="at epoch 3 the loss is not finite")
    assert not one.is_busy
    assert sweep.queue(PATIENT).claim() == []


def test_an_unforeseen_error_counts_as_a_loss(tmp_path):
    sweep = make(tmp_path, trials=2)
    one = sweep.queue(PATIENT)
    one.claim(2)
    one.abandon()
    waiting = [trial for trial in trials(sweep) if trial.state == TrialState.WAITING]
    assert [trial.user_attrs[LOST] for trial in waiting] == [1, 1]
    assert all(trial.user_attrs.get(REASON) == VANISHED for trial in trials(sweep)[:2])


def _take_all(folder, place, done):
    queue = open_sweep("probe", folder, place).queue(60)
    numbers = []
    while held := queue.claim():
        numbers += [each.number for each in held if queue.end(each.id, TrialState.COMPLETE, [0.0])]
    done.put(numbers)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["journal", pytest.param("sqlite", marks=pytest.mark.thorough), "postgresql"]
)
def test_many_workers_lose_and_double_nothing(tmp_path, kind, request):
    place = {"journal": "", "sqlite": f"sqlite:///{tmp_path}/trials.db"}.get(kind)
    if place is None:
        place = request.getfixturevalue("postgres_url")
    sweep = make(tmp_path, place, trials=90, sampler="random")
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    workers = [context.Process(target=_take_all, args=(tmp_path, place, done)) for _ in range(4)]
    for each in workers:
        each.start()
    ended = Counter(number for _ in workers for number in done.get(timeout=120))
    for each in workers:
        each.join()
    assert ended == Counter(range(90))
    assert states(sweep) == {"COMPLETE": 90}
