"""A client for each test of the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.simulator import Simulator


@pytest.fixture
def client(tiktok_simulator: Simulator) -> Iterator[Client]:
    """Return a client of a fresh simulator."""
    client = Client(tiktok_simulator)
    yield client
    client.session.close()
