"""What the processes of the chaos suite do. They are forked from one that has this imported."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tap_tiktok_auth.credentials.renewal

# Everything that is imported late is imported here once, before the forks.
import tap_tiktok_auth.http.client
import tap_tiktok_auth.redaction
import tap_tiktok_auth.store.postgres
import tap_tiktok_auth.store.recovery
import tap_tiktok_auth.store.sqlite  # noqa: F401
from tap_tiktok_auth.config import parsing
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import StoreError
from tap_tiktok_auth.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection as Pipe
    from multiprocessing.synchronize import Barrier, Event
    from pathlib import Path
    from types import FrameType

    from tap_tiktok_auth.config.models import Config


@dataclass(frozen=True)
class Place:
    """Where a process finds its store and its TikTok.

    Attributes:
        store: Address of the token store.
        key: The store's key.
        tiktok: Address of the simulator.
    """

    store: str = field(repr=False)
    key: str = field(repr=False)
    tiktok: str

    def config(self) -> Config:
        """Return a config whose connections are all in the store."""
        config = parsing.parse(
            {
                "token_store": self.store,
                "token_store_key": self.key,
                "business_api_url": self.tiktok,
                "login_kit_api_url": self.tiktok,
                "tiktok_url": self.tiktok,
                "requests_per_second": 1_000,
            }
        )
        config.token_api("accounts")  # imports what it needs
        return config


@dataclass(frozen=True)
class Machine:
    """A machine of its own, as far as a process can tell.

    Attributes:
        name: Its host name.
        skew: Seconds by which its clock is wrong.
        home: Its user's folder.
    """

    name: str
    skew: float
    home: Path

    def move_in(self) -> None:
        """Let this process run there."""
        real = time.time
        time.time = lambda: real() + self.skew
        socket.gethostname = lambda: self.name
        for variable in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[variable] = str(self.home)


def at_home(state_home: str, job: Callable[..., None], *arguments: Any) -> None:
    """Do a job with a test's own folder for recovery files."""
    os.environ["XDG_STATE_HOME"] = state_home
    job(*arguments)


def open_once(store: str, key: str, barrier: Barrier, answer: Pipe) -> None:
    """Open a store that is not there yet at the same moment as all others; answer with a hash."""
    barrier.wait()
    opened = open_store(store, key)
    answer.send(opened.digest("x"))
    opened.close()


def ask_once(place: Place, barrier: Barrier, answer: Pipe) -> None:
    """Ask for a token at the same moment as all others; answer with generation and token."""
    with open_manager(place.config()) as manager:
        connection = manager.connection("acme")
        barrier.wait()
        held = manager.get_token(connection)
    answer.send((held.stored.generation, held.token.access_token))


def ask_on_and_on(
    place: Place, machine: Machine, barrier: Barrier, seconds: float, answer: Pipe
) -> None:
    """Ask for a token again and again; answer with each generation's token as it was seen."""
    machine.move_in()
    seen: dict[int, str] = {}
    clashes: list[Any] = []
    with open_manager(place.config()) as manager:
        connection = manager.connection("acme")
        barrier.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            held = manager.get_token(connection)
            token = seen.setdefault(held.stored.generation, held.token.access_token)
            if token != held.token.access_token or held.warning is not None:
                clashes.append((held.stored.generation, str(held.warning)))
            time.sleep(0.01)
    answer.send((seen, clashes))


def refresh_until_killed(place: Place, name: str, ready: Pipe) -> None:
    """Refresh a connection on and on, as a tap would that is told to stop by SIGTERM."""
    told: list[int] = []

    def leave(number: int, frame: FrameType | None) -> None:
        del frame
        told.append(number)  # Python drops what a handler raises amidst a weak reference's callback
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    with open_manager(place.config()) as manager:
        connection = manager.connection(name)
        ready.send("ready")
        while not told:
            manager.get_token(connection, force=True)


def refresh_through_outages(place: Place, over: Event, answer: Pipe) -> None:
    """Refresh a connection until it is over, whatever the store does; answer with failures."""
    failures: list[str] = []
    with open_manager(place.config()) as manager:
        connection = manager.connection("acme")
        answer.send("ready")
        while not over.is_set():
            try:
                manager.get_token(connection, force=True)
            except StoreError as error:
                failures.append(str(error))
                time.sleep(0.05)
    answer.send(failures)
