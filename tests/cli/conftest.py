"""The command line, in process and as a real process, over a simulated TikTok."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from .world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator


@pytest.fixture
def world(tiktok_simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a TikTok, an empty token store, and settings in the environment that name both."""
    world = World(tiktok_simulator, tmp_path)
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    return world


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Take back what a command does to Python's logging."""
    root = logging.getLogger()
    handlers = [*root.handlers, *([logging.lastResort] if logging.lastResort else [])]
    before = [(handler, handler.formatter) for handler in handlers]
    level = root.level
    yield
    for handler, formatter in before:
        handler.setFormatter(formatter)
    root.setLevel(level)
