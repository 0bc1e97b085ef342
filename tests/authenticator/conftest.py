"""Authenticators over a simulated TikTok, closed at the end of each test."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth import TikTokAuthenticator

from .loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.simulator import Simulator

    Make = Callable[..., TikTokAuthenticator]


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
