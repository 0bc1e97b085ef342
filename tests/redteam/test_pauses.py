"""A process that is stopped in the middle of a refresh, and goes on after its lease has ended."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import GrantRejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.redteam.conftest import Target

REFRESH = "/refresh_token/"


@contextmanager
def asking(target: Target) -> Iterator[subprocess.Popen[str]]:
    """Start a process that refreshes, and return it once TikTok has its request."""
    before = target.tiktok.count("refresh")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.redteam.asker", "acme"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps(target.settings(request_timeout=1)) + "\n")
        process.stdin.flush()
        try:
            while target.tiktok.count("refresh") == before:
                time.sleep(0.005)
            yield process
        finally:
            process.kill()


def test_an_answer_that_came_during_a_pause(target: Target) -> None:
    """The answer that waits in the socket is stored although its time was over long ago."""
    target.consent()
    target.tiktok.scenario("latency", value=500, path=REFRESH)
    with asking(target) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.0)
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=30)
    assert out == "2 None\n"
    assert target.is_live(target.record())
    assert target.tiktok.count("refresh") == 1


def test_a_pause_beyond_the_lease(target: Target) -> None:
    """Another process takes over and is refused; the answer that comes after all mends it."""
    target.consent()
    target.tiktok.scenario("latency", value=500, times=1, path=REFRESH)
    with asking(target) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.0)
        with closing(sqlite3.connect(target.path)) as database, database:
            database.execute("UPDATE connections SET held_until = 0")
        with target.manager() as manager, pytest.raises(GrantRejected, match="got no answer"):
            manager.get_token(manager.connection("acme"))
        assert target.record().status == "reauthorization_required"
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=30)
    assert out == "2 None\n"
    assert target.record().status == "active"
    assert target.is_live(target.record())
