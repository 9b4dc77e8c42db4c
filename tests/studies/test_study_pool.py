"""Worker processes are heard, stopped, missed and named; here they are a few lines of Python."""

import os
import signal
import time

import pytest

from miiii import RunError
from miiii.studies import pool
from miiii.studies.pool import run_workers
from wording import naming

NEVER = lambda: False  # noqa: E731


@pytest.fixture
def scripts(monkeypatch):
    """What a worker is told to do is a program."""
    monkeypatch.setattr(pool, "WORKER", ("-c",))


def test_answers_come_in_the_order_of_the_orders(scripts):
    slow = "import time; time.sleep(0.3); print('slow')"
    assert run_workers([[slow], ["print('quick')"]], NEVER) == ["slow\n", "quick\n"]


@pytest.mark.parametrize("own", [None, "glibc.malloc.hugetlb=0"])
def test_workers_ask_for_large_pages_unless_the_user_has_settings(scripts, monkeypatch, own):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if own is not None:
        monkeypatch.setenv("GLIBC_TUNABLES", own)
    program = "import os; print(os.environ['GLIBC_TUNABLES'])"
    assert run_workers([[program]], NEVER) == [f"{own or 'glibc.malloc.hugetlb=1'}\n"]


def test_warnings_are_handed_on_and_the_rest_is_passed_through(scripts, capsys):
    warned = []
    program = "import sys; print('warning: miiii-seed0: x: y\\nTraceback', file=sys.stderr)"
    run_workers([[program]], NEVER, warned.append)
    assert warned == ["miiii-seed0: x: y"]
    assert capsys.readouterr().err == "Traceback\n"


def test_the_end_of_a_workers_input_asks_it_to_leave(scripts):
    waits, began = "import sys; sys.stdin.read(); print('saved')", time.monotonic()
    assert (
        run_workers([[waits], [waits]], lambda: time.monotonic() > began + 0.2) == ["saved\n"] * 2
    )


def test_one_that_refuses_ends_the_others_first(scripts, tmp_path):
    refuses = "import sys; print('error: no such thing', file=sys.stderr); sys.exit(1)"
    saves = f"import sys, pathlib; sys.stdin.read(); pathlib.Path({str(tmp_path / 'x')!r}).touch()"
    with pytest.raises(RunError, match=r"^no such thing$"):
        run_workers([[saves], [refuses]], NEVER)
    assert (tmp_path / "x").exists()


def test_one_that_is_killed_is_missed_with_the_runs_that_it_held(scripts, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock.pid").write_text("1\n")
    dies = (
        f"import os, pathlib; pathlib.Path({str(tmp_path)!r}, 'b', 'lock.pid')"
        ".write_text(str(os.getpid())); os.kill(os.getpid(), 9)"
    )
    with pytest.raises(RunError, match=naming("(b) code -9")):
        run_workers([[dies]], NEVER, runs_dir=tmp_path)


def test_one_that_does_not_leave_is_ended_by_force(scripts, monkeypatch, tmp_path):
    monkeypatch.setattr(pool, "CLOSING_SECONDS", 0.2)
    number = tmp_path / "pid"
    stays = (
        f"import os, pathlib, time; pathlib.Path({str(number)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)"
    )

    def interrupt():
        if number.exists() and number.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_workers([[stays]], NEVER, poll=interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)


def test_a_real_worker_says_what_it_refuses(tmp_path):
    with pytest.raises(RunError, match=naming("no study nothing'")):
        run_workers([["train", str(tmp_path / "nothing"), "[]", "miiii-seed0"]], NEVER)


def test_a_worker_has_one_core_and_this_package(scripts):
    program = "import os, miiii; print(os.environ['PJRT_NPROC'], miiii.__file__)"
    assert run_workers([[program]], NEVER) == [f"1 {pool.miiii.__file__}\n"]


def test_a_worker_does_not_hear_the_signals_that_its_parent_hears(scripts):
    """Ctrl-C goes to all processes of a terminal; who started it says what follows."""
    program = (
        "import os, signal\nfrom miiii.experiment.interrupts import ignore_stop_signals\n"
        f"ignore_stop_signals(); os.kill(os.getpid(), {int(signal.SIGINT)}); print('goes on')"
    )
    assert run_workers([[program]], NEVER) == ["goes on\n"]
