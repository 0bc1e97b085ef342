"""The pytest plugin, in test suites of other people."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SUITE = """
import pytest, requests, stat

def test_marketing_is_the_default(tiktok_connection, tiktok_app, tiktok_simulator):
    assert tiktok_connection["api"] == "marketing"
    assert tiktok_connection["app_id"] == tiktok_app.app_id
    body = {"app_id": tiktok_app.app_id, "secret": tiktok_app.app_secret,
            "auth_code": tiktok_connection["auth_code"]}
    url = tiktok_connection["business_api_url"] + "/open_api/v1.3/oauth2/access_token/"
    assert requests.post(url, json=body, timeout=10).json()["code"] == 0
    assert tiktok_simulator.count("exchange") == 1

def test_state_is_fresh(tiktok_simulator):
    assert tiktok_simulator.calls() == []

@pytest.mark.tiktok_api("login_kit")
def test_marker_chooses(tiktok_connection, tiktok_app, tmp_path):
    assert tiktok_connection["api"] == tiktok_app.api == "login_kit"
    assert tiktok_connection["token_store"] == f"sqlite:///{tmp_path}/tokens.db"
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700

def test_key_is_a_fernet_key(tiktok_connection):
    from cryptography.fernet import Fernet
    Fernet(tiktok_connection["token_store_key"])

@pytest.mark.tiktok_api
def test_marker_without_a_name(tiktok_app): pass

@pytest.mark.tiktok_api("video")
def test_marker_with_a_wrong_name(tiktok_app): pass
"""


def _pytest(folder: Path, suite: str, *before: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_theirs.py").write_text(suite)
    program = "; ".join([*before, "import pytest, sys", "sys.exit(pytest.main(sys.argv[1:]))"])
    # Without the other plugins of this environment, which take seconds to load.
    options = ["-q", "-p", "no:cacheprovider", "-p", "tap_tiktok_auth.pytest_plugin"]
    options += ["--strict-markers", "-W", "error"]
    return subprocess.run(
        [sys.executable, "-c", program, *options, "--rootdir", str(folder), str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )


def test_fixtures_work_in_another_suite(tmp_path: Path) -> None:
    """Tests get simulator, app and settings by naming them; a wrong marker is explained."""
    done = _pytest(tmp_path, SUITE)
    assert "4 passed, 2 errors" in done.stdout, done.stdout + done.stderr
    assert "the tiktok_api marker takes one name" in done.stdout
    assert "unknown api 'video'" in done.stdout


def test_missing_extra_is_explained(tmp_path: Path) -> None:
    """Without aiohttp a test that asks for the simulator fails with one line, no traceback."""
    suite = "def test_a(tiktok_simulator): pass\ndef test_b(): pass\n"
    done = _pytest(tmp_path, suite, "import sys", "sys.modules['aiohttp'] = None")
    assert "pip install 'tap-tiktok-auth[simulator]'" in done.stdout
    assert "1 passed, 1 error" in done.stdout
    assert "Traceback" not in done.stdout
