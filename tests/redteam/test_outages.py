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

    def variables(self, home: str = "home") -> dict[str, str]:
        """Return the environment of a machine."""
        settings = {
            "token_store": self.url,
            "token_store_key": self.bench.key,
            "business_api_url": self.bench.standin.url,
            "login_kit_api_url": self.bench.standin.url,
            "tiktok_url": self.bench.standin.url,
            "requests_per_second": "1000",
        }
        named = {f"TAP_TIKTOK_AUTH_{name.upper()}": value for name, value in settings.items()}
        return {"PATH": os.environ["PATH"], "HOME": str(self.bench.folder / home), **named}

    def start(self, *arguments: str, home: str = "home", **settings: Any) -> subprocess.Popen[str]:
        """Start `tiktok-auth`."""
        more = {f"TAP_TIKTOK_AUTH_{name.upper()}": value for name, value in settings.items()}
        return subprocess.Popen(
            [COMMAND, *arguments],
            env=self.variables(home) | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, home: str = "home", **settings: Any) -> tuple[int, str, str]:
        """Run `tiktok-auth`; return exit code, stdout and stderr."""
        with self.start(*arguments, home=home, **settings) as process:
            out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        return process.returncode, out, err

    def connect(self, *names: str) -> dict[str, str]:
        """Have connections exchange their codes; return their settings."""
        entries = [self.bench.consented("accounts", name) for name in names]
        connections = {"connections": json.dumps(entries)}
        code, _, err = self.run("refresh", **connections)
        assert code == 0, err
        return connections

    def records(self) -> dict[str, StoredConnection]:
        """Return what the store has."""
        with closing(open_store(self.url, self.bench.key)) as store:
            return {record.name: record for record in store.records()}

    def hold(self, path: str, times: int = 1) -> Callable[[], None]:
        """Let TikTok carry out calls and keep their answers back; return what lets them go."""
        gate = threading.Event()
        self.bench.standin.fail(path, times=times, carried_out=True, body=..., gate=gate)
        return gate.set

    def wait_for_posts(self, count: int) -> None:
        """Return once TikTok has got so many requests for tokens."""
        deadline = time.monotonic() + 60
        while len(self.bench.standin.token_posts) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def files(self, home: str = "home") -> list[Path]:
        """Return the recovery files of a machine."""
        return list((self.bench.folder / home).rglob("*.recovery"))

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


def end(process: subprocess.Popen[str], seconds: float = 30.0) -> tuple[int, str]:
    """Wait for a process's end; return its exit code and what it told."""
    try:
        _, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in err, err
    return process.returncode, err


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
        let_go = shared.hold("/refresh_token/")
        refresher = shared.start("refresh", "acme", "--force", **own)
        shared.wait_for_posts(2)
        code, out, err = shared.run("revoke", "acme", "--yes", **own)
        assert (code, "revoked at TikTok" in out) == (0, True), err
        let_go()
        end(refresher)
        self.check(shared)

    def test_the_refresher_is_killed(self, shared: Shared) -> None:
        """What a killed refresher left of a revoked connection is revoked by the next run."""
        own = shared.connect("acme", "other")
        let_go = shared.hold("/refresh_token/")
        refresher = shared.start("refresh", "acme", "--force", **own)
        shared.wait_for_posts(3)
        assert shared.run("revoke", "acme", "--yes", **own)[0] == 0
        with shared.frozen():
            let_go()
            wait_for(shared.files)
            refresher.kill()
            end(refresher)
        assert shared.run("refresh", "other", "--force", **own)[0] == 0
        self.check(shared)

    def test_a_new_code_is_exchanged(self, shared: Shared) -> None:
        """A code that was exchanged meanwhile is not sent again, and later runs do not fail."""
        former = shared.connect("acme")
        again = [shared.bench.consented("accounts", "acme")]
        own = {"connections": json.dumps(again)}
        let_go = shared.hold("/tt_user/oauth2/token/")
        worker = shared.start("refresh", "acme", **own)
        shared.wait_for_posts(2)
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

    NAMES = tuple(f"c{number}" for number in range(8))

    def test_the_next_run_takes_all_in(self, shared: Shared) -> None:
        """The next run uses every token that was given, and sends no refresh token again."""
        own = shared.connect(*self.NAMES)
        let_go = shared.hold("/refresh_token/", times=8)
        worker = shared.start("refresh", "--force", **own)
        shared.wait_for_posts(16)
        shared.server.stop()
        let_go()
        wait_for(lambda: len(shared.files()) == 8)
        worker.terminate()
        assert end(worker)[0] != 0
        shared.server.start()
        runs = [shared.start("refresh", *names, **own) for names in ((), (), ("c3",))]
        assert {end(run)[0] for run in runs} == {0}
        assert set(shared.bench.standin.spent().values()) == {1}
        assert {r.refresh_count for r in shared.records().values()} == {1}
        assert shared.files() == []

    def test_a_refusal_is_remembered(self, shared: Shared) -> None:
        """A refusal that the store could not take is not asked for again, and told as it was."""
        own = shared.connect("acme")
        shared.bench.world.revoke_all()
        let_go = shared.hold("/refresh_token/")
        worker = shared.start("refresh", "--force", **own)
        shared.wait_for_posts(2)
        shared.server.stop()
        let_go()
        wait_for(shared.files)
        worker.terminate()
        end(worker)
        shared.server.start()
        for _ in range(2):
            _, _, err = shared.run("token", "acme", "--min-lifetime", "100000", **own)
            assert "40107" in err
            assert "got no answer" not in err
        assert len(shared.bench.standin.token_posts) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
class TestFrozenServer:
    """PostgreSQL is there and says nothing, between TikTok's answer and the commit."""

    def test_nothing_is_lost(self, shared: Shared, number: signal.Signals) -> None:
        """The answer is on this machine's disk, the process can be ended, and the next run goes on.

        SIGTERM ends it before `docker stop` would lose its patience.
        """
        own = shared.connect("acme")
        let_go = shared.hold("/refresh_token/")
        worker = shared.start("refresh", "--force", **own)
        shared.wait_for_posts(2)
        with shared.frozen():
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
        assert len(shared.bench.standin.token_posts) == 1


def test_two_workers_by_force(shared: Shared) -> None:
    """Two workers that are started together with `--force` refresh each token once."""
    own = shared.connect(*(f"c{number:02}" for number in range(20)))
    workers = [shared.start("refresh", "--force", parallelism="2", **own) for _ in range(2)]
    told = [worker.communicate(timeout=120)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    assert {r.refresh_count for r in shared.records().values()} == {1}, told
