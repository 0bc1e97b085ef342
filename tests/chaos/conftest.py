"""Stores, chains and processes of the chaos suite."""

from __future__ import annotations

import multiprocessing
import os
import threading
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.credentials.models import StoredConnection, Token
from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.store import Store, open_store
from tap_tiktok_auth.store.keys import new_key
from tests.chaos.worker import Place, at_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection as Pipe
    from multiprocessing.context import ForkServerContext, ForkServerProcess


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, and give those beside a busy machine time."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.chaos)
            item.add_marker(pytest.mark.timeout(300))


class Nursery:
    """Starts processes within milliseconds, from one that has imported everything.

    Threads may share it. They must not ask a process itself how it is: to start a process also
    collects the exit codes of all others, each can be read once, and whoever comes second is told
    that it is 255.
    """

    def __init__(self) -> None:
        self.context: ForkServerContext = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["pytest", "tests.chaos.worker"])
        self._lock = threading.Lock()

    def start(self, job: Callable[..., None], *arguments: Any) -> tuple[ForkServerProcess, Pipe]:
        """Start a process; return it and the pipe that its last argument writes to."""
        receiver, sender = self.context.Pipe(duplex=False)
        # The process that it comes from has the folders of the test that began it.
        given = (os.environ["XDG_STATE_HOME"], job, *arguments, sender)
        process = self.context.Process(target=at_home, args=given, daemon=True)
        with self._lock:
            process.start()
        sender.close()
        return process, receiver

    def runs(self, process: ForkServerProcess) -> bool:
        """Whether a process has not ended yet."""
        return not wait([process.sentinel], 0)

    def exit_code(self, process: ForkServerProcess, timeout: float = 60.0) -> int | None:
        """Wait until a process has ended; return its exit code, or None if it goes on."""
        wait([process.sentinel], timeout)
        with self._lock:
            return process.exitcode


@pytest.fixture(scope="session")
def nursery() -> Nursery:
    """Return the place that processes come from."""
    return Nursery()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty store, on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store/tokens.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def key() -> str:
    """Return the key of the store."""
    return new_key()


@pytest.fixture
def tiktok() -> Iterator[Simulator]:
    """Return a simulated TikTok that rotates strictly."""
    with Simulator(strict_rotation=True) as simulator:
        yield simulator


@dataclass
class Chain:
    """A connection with a token that has just become stale, and TikTok's side of it.

    Attributes:
        tiktok: A simulator of its own.
        store: The store, open in this process.
        name: The connection.
        consents: How many consents were given so far.
    """

    tiktok: Simulator
    store: Store
    name: str = "acme"
    consents: int = 0

    def consent(self, *, left: float = 60.0) -> None:
        """Authorise anew: TikTok gives tokens, the store keeps them.

        Args:
            left: Seconds that the access token still lives, as far as the store knows.
        """
        app, granted = self.tiktok.app("accounts"), self.tiktok.grant("accounts")
        now, former = self.store.now(), self.store.read(self.name)
        token = Token(
            access_token=granted.access_token,
            refresh_token=granted.refresh_token,
            issued_at=now - 86_400,
            expires_at=now + left,
        )
        record = StoredConnection(
            name=self.name,
            api="accounts",
            app_id=app.app_id,
            generation=former.generation + 1 if former else 1,
            token=token,
            app_secret=app.app_secret,
            status="active",
            obtained_by="login",
        )
        assert self.store.commit(record, None)
        self.consents += 1

    @property
    def record(self) -> StoredConnection:
        """What is stored now."""
        record = self.store.read(self.name)
        assert record is not None
        return record

    @property
    def refresh_token_state(self) -> str:
        """What TikTok thinks of the refresh token that is stored."""
        token = self.record.token
        assert token is not None
        return self.tiktok.token_state(token.refresh_token or "")

    @property
    def stored_refreshes(self) -> int:
        """How many refreshes the store has the tokens of."""
        return self.record.generation - self.consents

    @property
    def answered_refreshes(self) -> int:
        """How many refreshes TikTok carried out."""
        return sum(call.outcome in {"0", "ok"} for call in self.tiktok.calls("refresh"))

    @property
    def refused_refreshes(self) -> int:
        """How many refreshes TikTok refused."""
        return self.tiktok.count("refresh") - self.answered_refreshes


@pytest.fixture
def chain(store_url: str, key: str, tiktok: Simulator) -> Iterator[Chain]:
    """Return a connection `acme` with a token that has expired."""
    store = open_store(store_url, key)
    chain = Chain(tiktok, store)
    chain.consent(left=-1.0)
    yield chain
    store.close()


@pytest.fixture
def place(store_url: str, key: str, tiktok: Simulator) -> Place:
    """Return where processes find the store and TikTok."""
    return Place(store_url, key, tiktok.url)
