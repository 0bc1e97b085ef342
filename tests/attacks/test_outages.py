"""A store that fails, freezes or falls silent once TikTok has answered, met by real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.store import open_store
from tests.attacks.conftest import variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tests.postgres_server import PostgresServer
    from tests.standin.runs import Bench

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]

COMMAND = Path(sys.executable).with_name("tiktok-auth")


@dataclass
class Shared:
    """A TikTok and connections in a PostgreSQL store, which is asked for by real processes."""

    bench: Bench
    server: PostgresServer
    url: str

    def start(self, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
        """Start `tiktok-auth`."""
        here = {
            "token_store": self.url,
            "token_store_key": self.bench.key,
            "business_api_url": self.bench.standin.url,
            "requests_per_second": 1000,
        }
        machine = {"PATH": os.environ["PATH"], "HOME": str(self.bench.folder / "home")}
        return subprocess.Popen(
            [COMMAND, *arguments], env=machine | variables(here | settings),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str, **settings: Any) -> tuple[int, str, str]:
        """Run `tiktok-auth`; return exit code, stdout and stderr."""
        return end(self.start(*arguments, **settings), 120)

    def connect(self, *names: str) -> dict[str, Any]:
        """Have connections exchange their codes; return their settings."""
        own = {"connections": [self.bench.consented("accounts", name) for name in names]}
        code, _, err = self.run("refresh", **own)
        assert code == 0, err
        return own

    def records(self) -> dict[str, StoredConnection]:
        """Return what the store has."""
        with closing(open_store(self.url, self.bench.key)) as store:
            return {record.name: record for record in store.records()}

    def hold(self, path: str, times: int = 1) -> Callable[[], None]:
        """Let TikTok carry out calls and keep their answers back; return what lets them go."""
        gate = threading.Event()
        self.bench.standin.fail(path, times=times, carried_out=True, body=..., gate=gate)
        return gate.set

    @property
    def posts(self) -> int:
        """How many requests for tokens TikTok has got."""
        return len(self.bench.standin.token_posts)

    @contextmanager
    def answer_held_back(
        self, *names: str, path: str = "/refresh_token/", **own: Any
    ) -> Iterator[tuple[subprocess.Popen[str], Callable[[], None]]]:
        """Start a worker and enter the block once TikTok has all its requests and answers none.

        Yields the worker, and what lets the answers go.
        """
        count = len(names) or len(own["connections"])
        before = self.posts
        let_go = self.hold(path, times=count)
        force = ["--force"] if path == "/refresh_token/" else []
        with self.start("refresh", *names, *force, **own) as worker:
            try:
                wait_for(lambda: self.posts == before + count)
                yield worker, let_go
            finally:
                worker.kill()

    def files(self) -> list[Path]:
        """Return the recovery files."""
        return list((self.bench.folder / "home").rglob("*.recovery"))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes of the server, as a machine does that is suspended."""
        postmaster = int((self.server.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in (postmaster, *map(int, children)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


@pytest.fixture
def shared(bench: Bench, postgres_server: PostgresServer, postgres_url: str) -> Shared:
    """Return connections that live in PostgreSQL."""
    return Shared(bench, postgres_server, postgres_url)


def end(process: subprocess.Popen[str], seconds: float = 30.0) -> tuple[int, str, str]:
    """Wait for a process's end; return exit code, stdout and stderr."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in err, err
    return process.returncode, out, err


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return once something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestRevokedMeanwhile:
    """A person revokes while a refresh is under way."""

    def test_the_refresh_ends_well(self, shared: Shared) -> None:
        """The revoke stands, and the token that TikTok gave after it is revoked there too."""
        own = shared.connect("acme")
        with shared.answer_held_back(**own) as (worker, let_go):
            code, out, err = shared.run("revoke", "acme", "--yes", **own)
            assert (code, "revoked at TikTok" in out) == (0, True), err
            let_go()
            end(worker)
        self.check(shared)

    def test_the_refresher_is_killed(self, shared: Shared) -> None:
        """What a killed refresher left of a revoked connection is revoked by the next run."""
        own = shared.connect("acme", "other")
        with shared.answer_held_back("acme", **own) as (worker, let_go):
            assert shared.run("revoke", "acme", "--yes", **own)[0] == 0
            with shared.frozen():
                let_go()
                wait_for(shared.files)
                worker.kill()
                end(worker)
        assert shared.run("refresh", "other", "--force", **own)[0] == 0
        self.check(shared)

    def test_a_new_code_is_exchanged(self, shared: Shared) -> None:
        """A code that was exchanged meanwhile is not sent again, and later runs do not fail."""
        former = shared.connect("acme")
        own = {"connections": [shared.bench.consented("accounts", "acme")]}
        path = "/tt_user/oauth2/token/"
        with shared.answer_held_back(path=path, **own) as (worker, let_go):
            assert shared.run("revoke", "acme", "--yes", **former)[0] == 0
            let_go()
            end(worker)
        for _ in range(2):
            shared.run("refresh", "acme", **own)
        assert set(shared.bench.standin.spent().values()) == {1}
        self.check(shared)

    def check(self, shared: Shared) -> None:
        """Check that nothing lives on, here or at TikTok."""
        record = shared.records()["acme"]
        assert (record.status, record.token) == ("revoked", None)
        _, out, _ = shared.run("events", "acme", "--json")
        names = [event["event"] for event in json.loads(out)]
        assert [n for n in names if not n.startswith("advertiser_")] == ["exchanged", "revoked"]
        revoked = {
            (call.body or {}).get("access_token")
            for call in shared.bench.standin.calls
            if call.path.endswith("/revoke/")
        }
        known = shared.bench.world.access.items()
        assert revoked == {token for token, access in known if access.consent.revoked}
        assert len(revoked) == 2
        assert shared.files() == []


class TestStoppedServer:
    """PostgreSQL is stopped between TikTok's answers and their commits."""

    def stop_before_commits(self, shared: Shared, own: dict[str, Any]) -> None:
        """Let a worker's answers get no further than recovery files."""
        with shared.answer_held_back(**own) as (worker, let_go):
            shared.server.stop()
            let_go()
            wait_for(lambda: len(shared.files()) == len(own["connections"]))
            worker.terminate()
            assert end(worker)[0] != 0
        shared.server.start()

    def test_the_next_run_takes_all_in(self, shared: Shared) -> None:
        """The next run uses every token that was given, and sends no refresh token again."""
        own = shared.connect(*(f"c{number}" for number in range(8)))
        self.stop_before_commits(shared, own)
        runs = [shared.start("refresh", *names, **own) for names in ((), (), ("c3",))]
        assert {end(run)[0] for run in runs} == {0}
        assert set(shared.bench.standin.spent().values()) == {1}
        assert {r.refresh_count for r in shared.records().values()} == {1}
        assert shared.files() == []

    def test_a_refusal_is_remembered(self, shared: Shared) -> None:
        """A refusal that the store could not take is not asked for again, and told as it was."""
        own = shared.connect("acme")
        shared.bench.world.revoke_all()
        self.stop_before_commits(shared, own)
        for _ in range(2):
            _, _, err = shared.run("token", "acme", "--min-lifetime", "100000", **own)
            assert "40107" in err
            assert "got no answer" not in err
        assert shared.posts == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
class TestFrozenServer:
    """PostgreSQL is there and says nothing, between TikTok's answer and the commit."""

    def test_nothing_is_lost(self, shared: Shared, number: signal.Signals) -> None:
        """The answer is on this machine's disk, the process can be ended, and the next run goes on.

        SIGTERM ends it before `docker stop` would lose its patience.
        """
        own = shared.connect("acme")
        with shared.answer_held_back(**own) as (worker, let_go), shared.frozen():
            let_go()
            wait_for(shared.files, 5)
            worker.send_signal(number)
            end(worker, 9.5)
        assert shared.run("refresh", **own)[0] == 0
        assert shared.records()["acme"].refresh_count == 1
        assert set(shared.bench.standin.spent().values()) == {1}

    def test_a_process_that_waits_for_the_lease_ends(
        self, shared: Shared, number: signal.Signals
    ) -> None:
        """Before anything was sent, a process that is told to end does so."""
        own = shared.connect("acme")
        with shared.frozen():
            worker = shared.start("refresh", "--force", **own)
            time.sleep(1.0)
            worker.send_signal(number)
            end(worker, 9.5)
        assert shared.posts == 1


def test_two_workers_by_force(shared: Shared) -> None:
    """Two workers that are started together with `--force` refresh each token once."""
    own = shared.connect(*(f"c{number:02}" for number in range(20)))
    workers = [shared.start("refresh", "--force", parallelism=2, **own) for _ in range(2)]
    told = [end(worker, 120) for worker in workers]
    assert [code for code, *_ in told] == [0, 0], told
    assert {r.refresh_count for r in shared.records().values()} == {1}, told
