"""What all tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["tests.browser_fixtures", "tests.postgres_fixtures"]


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep a developer's settings, token store and key out of every test.

    HOME and the cache folder stay, so that uv finds its cache.
    """
    for name in os.environ:
        if name.startswith(("TAP_TIKTOK_AUTH_", "MELTANO_")):
            monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
