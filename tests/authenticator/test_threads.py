"""An authenticator that many threads share, and a program that forks while they use it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth import TikTokAuthenticator
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tests.cli.world import DAY, World

from .conftest import Opener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator

    from .loopback import Answer, Loopback, Received

pytestmark = pytest.mark.tiktok_api("accounts")

REFRESH = "/open_api/v1.3/tt_user/oauth2/refresh_token/"

#: Forks once a thread's refresh is under way.
FORK_MEANWHILE = """
import os, signal, sys, threading
from tap_tiktok_auth import TikTokAuthenticator

auth = TikTokAuthenticator.from_environment("acme")
thread = threading.Thread(target=auth.access_token)
thread.start()
sys.stdin.readline()
child = os.fork()
if child == 0:
    signal.alarm(60)
    os._exit(0 if auth.access_token() else 1)
print("forked", flush=True)
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
#: Forks time and again while threads take tokens, from their first import on.
FORK_ALWAYS = """
import os, signal, threading
from tap_tiktok_auth import TikTokAuthenticator

auth = TikTokAuthenticator.from_environment("acme")
over = threading.Event()

def use():
    while not over.is_set():
        auth.access_token()

threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads:
    thread.start()
codes = []
for _ in range(5):
    children = []
    for _ in range(10):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            os._exit(0 if auth.access_token() else 1)
        children.append(child)
    codes += [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
over.set()
for thread in threads:
    thread.join()
print(codes)
"""


class Gate:
    """Holds the answers to refreshes back until it is opened.

    Attributes:
        reached: Set once a refresh has arrived.
    """

    def __init__(self, host: Loopback) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()
        self._host = host
        host.answers[REFRESH] = self._answer

    def open(self) -> None:
        """Let the answers go."""
        self._opened.set()

    def _answer(self, request: Received) -> Answer:
        self.reached.set()
        assert self._opened.wait(60)
        return self._host.pass_on(request)


@pytest.fixture(name="gate")
def _gate(host: Loopback) -> Iterator[Gate]:
    gate = Gate(host)
    yield gate
    gate.open()


@pytest.fixture(name="shared")
def _shared(
    at_host: dict[str, Any], tiktok_simulator: Simulator, gate: Gate
) -> Iterator[TikTokAuthenticator]:
    with TikTokAuthenticator(Opener(at_host, tiktok_simulator)) as auth:
        yield auth
        gate.open()


def started(auth: TikTokAuthenticator, found: list[str]) -> threading.Thread:
    """Start a thread that takes a token."""
    thread = threading.Thread(target=lambda: found.append(auth.access_token()), daemon=True)
    thread.start()
    return thread


def test_a_token_that_works_is_used_while_one_thread_renews_it(
    shared: TikTokAuthenticator, gate: Gate, tiktok_simulator: Simulator
) -> None:
    """However long TikTok takes for the refresh, all other threads go on."""
    before = shared.access_token()
    tiktok_simulator.advance(DAY - 1000)
    found: list[str] = []
    first = started(shared, found)
    assert gate.reached.wait(60)
    for other in [started(shared, found) for _ in range(5)]:
        other.join(30)
    assert found == [before] * 5
    gate.open()
    first.join(60)
    assert found[5:] == [shared.access_token()] != [before]


def test_threads_without_a_token_that_works_wait_for_one_refresh(
    shared: TikTokAuthenticator, gate: Gate, tiktok_simulator: Simulator
) -> None:
    """A token that has ended is not used, and TikTok is asked once for all threads."""
    before = shared.access_token()
    tiktok_simulator.advance(DAY + 1)
    found: list[str] = []
    first = started(shared, found)
    assert gate.reached.wait(60)
    others = [started(shared, found) for _ in range(5)]
    assert found == []
    gate.open()
    for thread in (first, *others):
        thread.join(60)
    assert len(found) == 6
    assert set(found) == {shared.access_token()} != {before}
    assert tiktok_simulator.count("refresh") == 1


def program(text: str, world: World, **environment: str) -> subprocess.Popen[str]:
    """Start a program over a token store."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", text],
        env={**os.environ, **world.environment, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_child_that_is_forked_during_a_refresh(
    host: Loopback, gate: Gate, tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """It waits no longer than its parent does, and has the token of the one refresh."""
    world = World(tiktok_simulator, tmp_path)
    world.keep("acme", age=2 * DAY)
    address = {f"{ENV_PREFIX}BUSINESS_API_URL": host.url}
    with program(FORK_MEANWHILE, world, **address) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert gate.reached.wait(60)
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "forked\n"
        gate.open()
        out, err = parent.communicate(timeout=120)
    assert (out, err) == ("0\n", "")
    assert tiktok_simulator.count("refresh") == 1


def test_children_that_are_forked_at_any_moment(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """While threads open the store, take tokens and refresh them, every child has its token."""
    world = World(tiktok_simulator, tmp_path)
    world.keep("acme", age=2 * DAY)
    tiktok_simulator.scenario("short_lifetimes", value=1)
    tiktok_simulator.scenario("latency", value=20)
    with program(FORK_ALWAYS, world) as parent:
        out, err = parent.communicate(timeout=300)
    assert (out, err) == (f"{[0] * 50}\n", "")
