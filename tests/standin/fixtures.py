"""Fixtures of all tests that run the tap against the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import Interrupted
from tap_tiktok_auth.http.client import Client
from tests.standin.runs import Bench
from tests.standin.server import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """Return a TikTok of its own for each test."""
    with StandIn() as tiktok:
        yield tiktok


@pytest.fixture
def bench(standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Return a stand-in with an empty token store; at the end no secret may be seen anywhere."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TAP_TIKTOK_AUTH_LOGLEVEL", "DEBUG")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    bench = Bench(standin, tmp_path)
    yield bench
    assert bench.leaks() == []


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let the client's waits end at once, and return the list of their lengths."""
    lengths: list[float] = []

    def wait(self: Client, seconds: float) -> None:
        if self._stop.is_set():
            raise Interrupted("told to stop")
        if seconds > 0.1:  # shorter ones keep the pace, longer ones let TikTok recover
            lengths.append(seconds)

    monkeypatch.setattr(Client, "_wait", wait)
    return lengths
