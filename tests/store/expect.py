"""What every error of the store is: one line with a next step, and nothing secret."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.postgres_server import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.errors import StoreError

_PROGRAM = "import sys; from tap_tiktok_auth.command import tiktok_auth; sys.exit(tiktok_auth())"


@contextmanager
def one_line(kind: type[StoreError], *words: str) -> Iterator[None]:
    """Expect an error whose line has these words and ends with a next step."""
    with pytest.raises(kind) as caught:
        yield
    line = str(caught.value)
    for never in ("\n", "Traceback", "FATAL", "SECRET", PASSWORD):
        assert never not in line
    for word in words:
        assert word in line
    assert caught.value.next_step
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def run_command(
    url: str, key: str, home: Path, *arguments: str, **environment: str
) -> tuple[int, str]:
    """Run `tiktok-auth` on a store; return its exit code and all that it said."""
    settings = {"TAP_TIKTOK_AUTH_TOKEN_STORE": url, "TAP_TIKTOK_AUTH_TOKEN_STORE_KEY": key}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home), **settings, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert PASSWORD not in said
    assert "Traceback" not in said
    return done.returncode, said
