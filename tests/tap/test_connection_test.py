"""`--test` tests the connections."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator


@pytest.mark.parametrize(("code", "exit_code"), [(None, 0), ("spent-long-ago", 1)])
def test_a_connection_that_fails_fails_the_test(
    tiktok_simulator: Simulator, tmp_path: Path, code: str | None, exit_code: int
) -> None:
    """`--test` ends with 0 if all connections are well, and with 1 and one line if not."""
    own: dict[str, Any] = tiktok_simulator.settings("marketing")
    config = {
        "app_id": own["app_id"],
        "app_secret": own["app_secret"],
        "auth_code": code or own["auth_code"],
        "business_api_url": tiktok_simulator.url,
        "token_store": f"sqlite:///{tmp_path / 'tokens.db'}",
        "requests_per_second": 1000,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    tap = Path(sys.executable).with_name("tap-tiktok-auth")

    done = subprocess.run(
        [tap, "--config", path, "--test"], capture_output=True, text=True, check=False
    )

    assert done.returncode == exit_code, done.stderr
    assert ("connection default: " in done.stderr) == bool(exit_code)
    assert "Traceback" not in done.stderr
