"""`tiktok-auth token NAME` answers from the store without loading the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator

_RUN = """
import sys
from tap_tiktok_auth.command import tiktok_auth
sys.argv = ["tiktok-auth", *sys.argv[1:]]
code = 0
try:
    tiktok_auth()
except SystemExit as end:
    code = end.code or 0
heavy = {"click", "requests", "singer_sdk", "rich", "logging"} & set(sys.modules)
print(code, *sorted(heavy), file=sys.stderr)
"""


def _variables(settings: dict[str, Any]) -> dict[str, str]:
    return {f"TAP_TIKTOK_AUTH_{k.upper()}": str(v) for k, v in settings.items()}


def _ask(settings: dict[str, Any], *arguments: str) -> tuple[str, list[str], str]:
    """Return what was printed, the exit code with the heavy modules, and all of stderr."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments],
        env={**os.environ, **_variables(settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr.splitlines()[-1].split(), done.stderr


def _print_into(stdout: int | IO[str], settings: dict[str, Any]) -> str:
    """Have the token printed somewhere; return what was told, and the exit code, on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, "token", "default"],
        env={**os.environ, **_variables(settings)},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stderr


@pytest.fixture
def settings(tiktok_connection: dict[str, Any]) -> dict[str, Any]:
    """A connection whose code was not exchanged yet."""
    return {k: v for k, v in tiktok_connection.items() if isinstance(v, str)}


def test_a_fresh_token_needs_no_command_line(
    tiktok_simulator: Simulator, settings: dict[str, Any]
) -> None:
    """The first call exchanges; the second prints the same token and loads nothing heavy."""
    first, ended, _ = _ask(settings, "token", "default")
    again, ended_again, said = _ask(settings, "token", "default")

    assert first == again
    assert len(first.splitlines()) == 1
    assert ended[0] == ended_again[0] == "0"
    assert "click" in ended
    assert ended_again == ["0"], said
    assert tiktok_simulator.count(action="exchange") == 1


@pytest.mark.usefixtures("tiktok_simulator")
def test_nobody_reads_the_token(settings: dict[str, Any]) -> None:
    """A closed pipe ends the command without a word, as with the usual way."""
    _ask(settings, "token", "default")
    reading, writing = os.pipe()
    os.close(reading)
    said = _print_into(writing, settings)
    os.close(writing)
    assert said == "1\n"


@pytest.mark.usefixtures("tiktok_simulator")
def test_all_else_goes_the_usual_way(settings: dict[str, Any]) -> None:
    """A name that is not known, and a wrong setting, are told in one line as by any command."""
    _, ended, said = _ask(settings, "token", "nobody")
    assert ended[0] == "1"
    assert "there is no connection named nobody" in said

    _, ended, said = _ask({**settings, "refresh_margin": "soon"}, "token", "default")
    assert ended[0] == "1"
    assert "REFRESH_MARGIN must be a whole number" in said


@pytest.mark.usefixtures("tiktok_simulator")
def test_a_full_disk_is_told_in_one_line(settings: dict[str, Any]) -> None:
    """An answer that cannot be printed is one line on stderr, without the token."""
    token, _, _ = _ask(settings, "token", "default")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        said = _print_into(full, settings)
    assert said == "tiktok-auth: cannot print the token: No space left on device\n1\n"
    assert token.strip() not in said


@pytest.mark.usefixtures("tiktok_simulator")
def test_a_store_in_trouble_is_told_as_usual(settings: dict[str, Any], tmp_path: Path) -> None:
    """A store that cannot be used ends the command at once, with the usual line and code."""
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database " * 1_000)
    broken.chmod(0o600)
    settings = {**settings, "token_store": f"sqlite:///{broken}"}
    _, fast, said = _ask(settings, "token", "default")
    _, usual, said_usually = _ask(settings, "token", "default", "--min-lifetime", "0")
    assert fast[0] == usual[0] == "1"
    assert said.splitlines()[0] == said_usually.splitlines()[0]
    assert "is damaged or no SQLite file" in said
