"""Pytest fixtures for everyone who tests against TikTok's token systems.

The plugin is loaded in every pytest run of an environment that has this package, so until a fixture
is asked for it imports nothing that pytest has not loaded. The fixtures need the extra
``simulator``::

    @pytest.mark.tiktok_api("accounts")
    def test_my_tap(tiktok_connection):
        MyTap(config=tiktok_connection).sync_all()
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth import simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.simulator import SimulatedApp, Simulator


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that chooses the token system."""
    config.addinivalue_line(
        "markers",
        "tiktok_api(name): token system of tiktok_app and tiktok_connection "
        "(marketing, accounts, creator_marketplace, creator or login_kit)",
    )


@pytest.fixture
def tiktok_simulator() -> Iterator[Simulator]:
    """Run a TikTok of its own for this test, on a free loopback port."""
    try:
        tiktok = simulator.Simulator()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "aiohttp":
            raise
        message = "tiktok_simulator needs aiohttp: pip install 'tap-tiktok-auth[simulator]'"
        pytest.fail(message, pytrace=False)
    with tiktok:
        yield tiktok


@pytest.fixture
def tiktok_app(tiktok_simulator: Simulator, request: pytest.FixtureRequest) -> SimulatedApp:
    """Return the simulated app: ``app_id``, ``app_secret``, ``redirect_uri``."""
    return tiktok_simulator.app(_api(request))


@pytest.fixture
def tiktok_connection(
    tiktok_simulator: Simulator, request: pytest.FixtureRequest, tmp_path: Path
) -> dict[str, Any]:
    """Return settings of the tap: a connection with a fresh code, and a throw-away token store."""
    return {
        **tiktok_simulator.settings(_api(request)),
        "token_store": f"sqlite:///{tmp_path / 'tokens.db'}",
        "token_store_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }


def _api(request: pytest.FixtureRequest) -> str:
    marker = request.node.get_closest_marker("tiktok_api")
    if marker is None:
        return "marketing"
    if len(marker.args) != 1 or marker.kwargs:
        raise pytest.UsageError("the tiktok_api marker takes one name, such as 'accounts'")
    return str(marker.args[0])
