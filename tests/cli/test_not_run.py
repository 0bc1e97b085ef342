"""Why a command does not run."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.cli.not_run import not_run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("command", "error", "code", "why"),
    [
        ("nowhere", FileNotFoundError(2, "No such file"), 127, "no such command: nowhere"),
        ("nowhere", PermissionError(13, "Permission denied"), 127, "no such command: nowhere"),
        ("/", PermissionError(13, "Permission denied"), 126, "cannot run /: Permission denied"),
        ("sh", PermissionError(13, "Permission denied"), 126, "cannot run sh: Permission denied"),
        ("", ValueError("empty"), 126, "cannot run the command: its name is empty"),
    ],
)
def test_it_is_told_as_by_a_shell(
    command: str, error: OSError | ValueError, code: int, why: str
) -> None:
    """A name that is nowhere is not found, even if Python says that it is denied."""
    assert not_run(command, error, {"PATH": "/bin:/usr/bin"}) == (code, why)


def test_a_file_without_the_right_to_run_is_there(tmp_path: Path) -> None:
    """A file of that name that may not be run is not told as missing."""
    (tmp_path / "mytool").touch(mode=0o644)
    error = PermissionError(13, "Permission denied")
    told = not_run("mytool", error, {"PATH": str(tmp_path)})
    assert told == (126, "cannot run mytool: Permission denied")


@pytest.mark.parametrize("command", ["no-such-command", "/"])
def test_it_is_what_a_shell_says(command: str) -> None:
    """The exit code is that of `sh`."""
    path = {"PATH": os.environ["PATH"]}
    shell = subprocess.run(["sh", "-c", command], env=path, capture_output=True, check=False)
    with pytest.raises(OSError) as caught:  # noqa: PT011  (which one depends on PATH)
        subprocess.run([command], env=path, check=False)
    assert not_run(command, caught.value, path)[0] == shell.returncode
