"""A client for each test of the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.simulator import Simulator

from .client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def client(tiktok_simulator: Simulator) -> Iterator[Client]:
    """Return a client of a fresh simulator."""
    client = Client(tiktok_simulator)
    yield client
    client.session.close()


@pytest.fixture
def still() -> Iterator[Client]:
    """Return a client of a simulator whose clock stands until it is moved."""
    with Simulator(clock=lambda: 1_800_000_000.0) as tiktok:
        client = Client(tiktok)
        yield client
        client.session.close()
