"""A run that is told to end, or is killed, between sending a credential and storing the answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.process import Stop, deferred
from tests.standin.runs import Run

if TYPE_CHECKING:
    from tests.standin.runs import Bench

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}


def begun(bench: Bench, config: dict[str, Any], posts: int = 1) -> subprocess.Popen[str]:
    """Start a run, and return once its token request has arrived."""
    process = bench.start(config)
    deadline = time.monotonic() + 30
    while len(bench.standin.token_posts) < posts:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


def looking(process: subprocess.Popen[str]) -> None:
    """Return once a run has begun to look after its connections."""
    assert process.stderr is not None
    for line in process.stderr:
        if "Connections to look after" in line:
            return
    raise AssertionError(process.communicate())


def ended(bench: Bench, process: subprocess.Popen[str]) -> Run:
    """Wait for a run's end."""
    out, err = process.communicate(timeout=30)
    return bench.kept(Run(process.returncode, out, err))


@pytest.mark.parametrize("number", CODES)
@pytest.mark.usefixtures("waits")
def test_told_to_end_while_tiktok_answers(bench: Bench, number: signal.Signals) -> None:
    """The token is stored first; then the run ends with the signal's exit code."""
    config = bench.settings(bench.consented("accounts"), bench.consented("marketing"))
    gate = threading.Event()
    for path in ("/tt_user/oauth2/token/", "/oauth2/access_token/"):
        bench.standin.fail(path, carried_out=True, body=..., gate=gate)
    process = begun(bench, config, posts=2)
    process.send_signal(number)
    time.sleep(0.1)  # the signal is there before the answer
    assert process.poll() is None
    gate.set()
    assert ended(bench, process).code == CODES[number]
    stored = {bench.record(name).token for name in ("accounts", "marketing")}
    assert {t.access_token for t in stored if t} == set(bench.world.access)
    run = bench.run(config)
    assert run.code == 0
    assert len(bench.standin.token_posts) == 2


@pytest.mark.usefixtures("waits")
def test_told_to_end_during_a_long_wait(bench: Bench) -> None:
    """No wait for TikTok goes on; nothing was spent, so nothing is unsure."""
    config = bench.settings(bench.consented("accounts"))
    body = {"code": 40100, "message": "slow", "request_id": "20261121AB"}
    bench.standin.fail("/token/", times=9, body=body, headers={"Retry-After": "280"})
    process = begun(bench, config)
    time.sleep(0.2)  # the answer is read, the wait has begun
    process.terminate()
    assert ended(bench, process).code == 143
    assert len(bench.standin.token_posts) == 1
    bench.standin.faults.clear()
    run = bench.run(config)
    assert run.code == 0
    assert run.events("accounts") == ["exchanged"]


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.usefixtures("waits")
def test_killed_while_tiktok_answers(bench: Bench, *, carried_out: bool) -> None:
    """The next run takes over at once, tries once more, and tells what happened."""
    config = bench.settings(bench.consented("accounts"))
    gate = threading.Event()
    bench.standin.fail("/token/", carried_out=carried_out, body=b"", gate=gate)
    process = begun(bench, config)
    process.kill()
    gate.set()
    ended(bench, process)
    attempt = bench.record("accounts").attempt
    assert attempt is not None
    assert attempt.outcome == "sent"
    run = bench.run(config)
    assert len(bench.standin.token_posts) == 2
    assert run.events("accounts")[0] == "unconfirmed"
    if carried_out:
        assert run.code == 1
        assert "got no answer" in run.told("accounts")[0]
        assert "Run: tiktok-auth login accounts" in run.told("accounts")[0]
        assert bench.run(config).code == 1
        assert len(bench.standin.token_posts) == 2
    else:
        assert (run.code, run.row("accounts")["status"]) == (0, "active")


@pytest.mark.usefixtures("waits")
def test_two_runs_at_once(bench: Bench) -> None:
    """The second run waits for the first one's answer and uses it."""
    config = bench.settings(bench.consented("accounts"))
    gate = threading.Event()
    bench.standin.fail("/token/", carried_out=True, body=..., gate=gate)
    first = begun(bench, config)
    threading.Timer(0.3, gate.set).start()
    second = bench.run(config)
    assert second.code == 0
    assert ended(bench, first).code == 0
    assert len(bench.standin.token_posts) == 1
    assert second.events("accounts") == ["exchanged"]


@pytest.mark.usefixtures("waits")
def test_told_to_end_while_another_run_is_waited_for(bench: Bench) -> None:
    """Who waits for another's answer ends at once, and disturbs it not."""
    config = bench.settings(bench.consented("accounts"))
    gate = threading.Event()
    bench.standin.fail("/token/", carried_out=True, body=..., gate=gate)
    first = begun(bench, config)
    waiting = bench.start(config)
    looking(waiting)
    time.sleep(0.1)  # it waits
    waiting.terminate()
    assert ended(bench, waiting).code == 143
    assert first.poll() is None
    gate.set()
    assert ended(bench, first).code == 0
    assert len(bench.standin.token_posts) == 1


def test_a_child_that_is_forked_meanwhile_hears_signals() -> None:
    """A child that another thread forks while signals are held back is ended by one."""
    forked: list[int] = []
    ready, tell = os.pipe()

    def fork() -> None:
        pid = os.fork()
        if not pid:
            os.write(tell, b"!")
            time.sleep(30)
            os._exit(0)
        forked.append(pid)

    thread = threading.Thread(target=fork)
    former = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with deferred(Stop()):
        thread.start()
        thread.join()
        assert os.read(ready, 1) == b"!"
        os.kill(forked[0], signal.SIGTERM)
        _, status = os.waitpid(forked[0], 0)
    signal.signal(signal.SIGTERM, former)
    os.close(ready)
    os.close(tell)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM


SIGNALLED = """
import signal, sys
from tap_tiktok_auth.process import Stop, deferred

def tell(frame, event, argument):
    if event == "line":
        signal.raise_signal(signal.SIGHUP)
    return tell

signal.signal(signal.SIGHUP, lambda *_: None)
stop = Stop()
with deferred(stop):
    sys.settrace(tell)
    stop.wait(0.01)
    sys.settrace(None)
    print(stop.is_set())
"""


def test_a_signal_at_any_moment_of_a_wait() -> None:
    """A process that waits, and is told to stop in that very moment, goes on."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_whoever_goes_on_after_a_signal_goes_on() -> None:
    """A handler that does not end the process hears of the signal after the block, once."""
    heard: list[bool] = []
    stop = Stop()
    former = signal.signal(signal.SIGTERM, lambda *_: heard.append(stop.is_set()))
    try:
        with deferred(stop), deferred(stop):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            assert stop.is_set()
            assert heard == []
        assert heard == [False]
        assert not stop.is_set()
    finally:
        signal.signal(signal.SIGTERM, former)
