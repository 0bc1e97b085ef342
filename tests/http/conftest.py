"""The stand-in for TikTok, and a client without any proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.http.client import Client
from tests.standin.fixtures import bench, standin, waits

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["bench", "client", "standin", "waits"]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Return a client that is closed at the end of the test."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    one = Client(timeout=2.0, requests_per_second=10_000)
    yield one
    one.close()
