"""A bug of our own whose exception carries tokens: the log has the traceback without them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.config.settings import ENV_PREFIX

if TYPE_CHECKING:
    from tests.redteam.conftest import Target

_ROOT = Path(__file__).parents[2]
_BUG = """
import sys
from tap_tiktok_auth.credentials import transitions
def granted(record, grant, *args, **kwargs):
    try:
        raise KeyError(grant.refresh_token or grant.access_token)
    except KeyError as error:
        raise ValueError(grant.access_token) from error
transitions.granted = granted
program = sys.argv.pop(1)
if program == "tap":
    from tap_tiktok_auth.tap import TapTikTokAuth
    TapTikTokAuth.cli()
else:
    from tap_tiktok_auth.cli.main import main
    main()
"""


@pytest.mark.parametrize("api", ["marketing", "accounts"])
@pytest.mark.parametrize("command", [["tap", "--config", "ENV"], ["cli", "status", "--check"]])
def test_a_bug_shows_no_token(target: Target, api: str, command: list[str]) -> None:
    """Neither tokens with a prefix nor those without one stand in a chained traceback."""
    settings: dict[str, Any] = target.settings() | target.tiktok.settings(api)
    done = subprocess.run(
        [sys.executable, "-c", _BUG, *command],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(target.folder),
            "TAP_TIKTOK_AUTH_LOGLEVEL": "DEBUG",
            **{f"{ENV_PREFIX}{name.upper()}": str(value) for name, value in settings.items()},
        },
        cwd=_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "ValueError: ***" in done.stderr
    assert "KeyError: '***'" in done.stderr
    issued = target.tiktok._model.credentials
    secrets = {*issued, settings["app_secret"], target.key}
    assert [secret for secret in secrets if secret in done.stdout + done.stderr] == []
