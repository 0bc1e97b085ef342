"""Authenticators over a simulated TikTok, closed at the end of each test."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth import TikTokAuthenticator
from tap_tiktok_auth.config import parsing
from tap_tiktok_auth.credentials.manager import TokenManager
from tap_tiktok_auth.store import open_store

from .loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.simulator import Simulator

    Make = Callable[..., TikTokAuthenticator]


class Opener:
    """Opens sessions whose store has the simulator's clock, and counts reads of the store."""

    def __init__(self, settings: dict[str, Any], tiktok: Simulator) -> None:
        self.reads = 0
        self._config = parsing.parse(settings)
        self._tiktok = tiktok

    @contextmanager
    def __call__(self) -> Iterator[TokenManager]:
        """Open one."""
        config = self._config
        store = open_store(config.token_store, config.token_store_key, clock=self._tiktok.now)
        read = store.read

        def counted(name: str) -> Any:
            self.reads += 1
            return read(name)

        store.read = counted  # type: ignore[method-assign]
        manager = TokenManager(config, store)
        try:
            yield manager
        finally:
            manager.close()
            store.close()


@pytest.fixture
def opener(tiktok_connection: dict[str, Any], tiktok_simulator: Simulator) -> Opener:
    """Return what opens sessions for the simulated connection."""
    return Opener(tiktok_connection, tiktok_simulator)


@pytest.fixture
def ahead(opener: Opener) -> Iterator[TikTokAuthenticator]:
    """Return an authenticator whose time is the simulator's."""
    with TikTokAuthenticator(opener) as auth:
        yield auth


@pytest.fixture
def make() -> Iterator[Make]:
    """Return a maker of authenticators from a config."""
    with ExitStack() as opened:

        def made(config: dict[str, Any], connection: str | None = None) -> TikTokAuthenticator:
            return opened.enter_context(TikTokAuthenticator.from_config(config, connection))

        yield made


@pytest.fixture
def auth(make: Make, tiktok_connection: dict[str, Any]) -> TikTokAuthenticator:
    """Return an authenticator for the simulated connection."""
    return make(tiktok_connection)


@pytest.fixture
def host(tiktok_simulator: Simulator) -> Iterator[Loopback]:
    """Return a host that passes on to the simulator what the test does not answer."""
    with Loopback(tiktok_simulator.url) as loopback:
        yield loopback


@pytest.fixture
def foreign() -> Iterator[Loopback]:
    """Return a host that is not TikTok."""
    with Loopback() as loopback:
        yield loopback


@pytest.fixture
def at_host(host: Loopback, tiktok_connection: dict[str, Any]) -> dict[str, Any]:
    """Return the connection's settings with *host* as both of TikTok's hosts."""
    return {**tiktok_connection, "business_api_url": host.url, "login_kit_api_url": host.url}
