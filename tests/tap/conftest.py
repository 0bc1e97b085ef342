"""The stand-in for TikTok, and the commands beside the tap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli.main import main
from tests.standin.fixtures import bench, standin, waits

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.standin.runs import Bench

__all__ = ["bench", "standin", "waits"]


@pytest.fixture
def command(bench: Bench) -> Callable[..., Result]:
    """Return a function that runs `tiktok-auth` with the config file of the tap's last run."""

    def run(*arguments: str) -> Result:
        path = str(bench.folder / "config.json")
        result = CliRunner().invoke(main, [*arguments, "--config", path])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run
