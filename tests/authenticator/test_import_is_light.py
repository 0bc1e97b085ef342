"""Importing the package costs next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"requests", "singer_sdk", "cryptography", "aiohttp", "click", "urllib3", "sqlite3"}


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import tap_tiktok_auth", set()),
        ("from tap_tiktok_auth import TikTokAuthError", set()),
        ("import tap_tiktok_auth.pytest_plugin", set()),
        (
            "from tap_tiktok_auth import TikTokAuthenticator as A; A.from_config({})",
            {"cryptography"},
        ),
    ],
)
def test_import_is_light(statement: str, allowed: set[str]) -> None:
    """The statement, in a process of its own, imports none of the heavy packages."""
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert HEAVY & set(done.stdout.split()) <= allowed
