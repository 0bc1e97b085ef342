"""However a command ends, nobody sees a traceback, and what is light stays light."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.cli import condition
from tap_tiktok_auth.credentials.manager import TokenManager

from .world import COMMAND

if TYPE_CHECKING:
    from .world import World

HEAVY = ("singer_sdk", "requests", "rich", "aiohttp", "psycopg", "sqlalchemy")


def modules_after(*arguments: str) -> set[str]:
    """Return the packages that a command imports, in a process of its own."""
    program = (
        "import sys\nfrom tap_tiktok_auth.cli import main\n"
        f"try:\n    main({list(arguments)!r})\nexcept SystemExit as end:\n    code = end.code\n"
        "print(code, *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    code, *names = done.stderr.split()
    assert code == "0", done.stderr
    return set(names)


@pytest.mark.parametrize("command", [("token", "acme"), ("token", "acme", "--json")])
def test_cached_token_is_light(world: World, command: tuple[str, ...]) -> None:
    """A token that is fresh in the store comes without Singer's SDK, HTTP client and drawing."""
    world.keep("acme")

    assert modules_after(*command) & set(HEAVY) == set()


@pytest.mark.parametrize("command", [("status",), ("refresh",), ("events",)])
def test_nothing_is_drawn_in_a_pipe(world: World, command: tuple[str, ...]) -> None:
    """Without a terminal rich is not imported, nor what nobody needs."""
    world.keep("acme")

    assert modules_after(*command) & {"rich", "singer_sdk", "aiohttp"} == set()


def test_reader_that_goes_away_is_no_error(world: World) -> None:
    """When nobody reads the output any more, the command ends without a word."""
    for number in range(40):
        world.keep(f"c{number:02}")
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run(
        [COMMAND, "status"], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writing)

    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.parametrize("error", [RuntimeError("secret"), OSError(5, "secret")])
def test_unexpected_failure_is_one_line(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A bug shows its kind, not its text, which might hold a secret, and where to see more."""

    def fail(*_: object) -> None:
        raise error

    world.keep("acme")
    monkeypatch.setattr(condition, "look", fail)

    result = world.run("status")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert type(error).__name__ in result.stderr
    assert "secret" not in result.stderr


def test_ctrl_c_is_quiet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with exit code 130 and without a word."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TokenManager, "outlook", interrupt)
    world.keep("acme")

    result = world.run("status")

    assert (result.exit_code, result.output) == (130, "")


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["refresh"], ["events"], ["revoke", "a", "--yes"], ["forget", "a", "--yes"],
     ["exec", "--", "true"], ["store", "rotate-key"], ["store", "copy", "sqlite:////proc/x/x.db"]],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("TOKEN_STORE_KEY", "not-a-key-at-all", "token_store_key"),
        ("TOKEN_STORE", "sqlite:////proc/nowhere/tokens.db", "/proc/nowhere"),
        ("API", "tiktok", "setting api must be one of"),
    ],
)
def test_wrong_settings_are_one_line(
    world: World, arguments: list[str], setting: str, value: str, said: str
) -> None:
    """A wrong key, a store that cannot be made and a wrong setting: one line, no value, code 1."""
    result = world.run(*arguments, **{f"TAP_TIKTOK_AUTH_{setting}": value})

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert "not-a-key" not in result.stderr


TAP = str(Path(COMMAND).with_name("tap-tiktok-auth"))


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", ">&- 2>&- <&-", ">/dev/full"])
@pytest.mark.parametrize(
    "arguments",
    [[COMMAND, "status"], [COMMAND, "token", "acme"], [COMMAND, "doctor", "--json"],
     [COMMAND, "--help"], [COMMAND, "exec", "acme", "--", "true"], [TAP, "--config", "ENV"],
     [TAP, "--discover"], [TAP, "--about"], [TAP, "--help"]],
    ids=lambda arguments: " ".join(arguments).rpartition("/")[2],
)  # fmt: skip
def test_closed_streams_are_no_traceback(world: World, arguments: list[str], closed: str) -> None:
    """Whatever the shell has closed, nobody sees a traceback, and nothing else gets the output."""
    world.keep("acme")

    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    assert "NoneType" not in done.stderr
    stored = Path(world.url.removeprefix("sqlite:///")).read_bytes()
    assert stored.startswith(b"SQLite format 3")
    assert b"tiktok-auth" not in stored
    if ">/dev/full" in closed and "exec" not in arguments:
        assert done.returncode == 1
        assert "No space left on device" in done.stderr


#: Starts a command, and presses Ctrl-C the moment a module is asked for.
_PRESSED = """
import os, signal, sys
from importlib.abc import MetaPathFinder
class Finder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = {arguments!r}
from tap_tiktok_auth import command
command.{entry}()
"""


@pytest.mark.parametrize(
    ("entry", "arguments", "module"),
    [
        ("tap", ["tap-tiktok-auth", "--config", "ENV"], "singer_sdk"),
        ("tap", ["tap-tiktok-auth", "--config", "ENV"], "tap_tiktok_auth.streams"),
        ("tap", ["tap-tiktok-auth", "--config", "ENV"], "requests"),
        ("tiktok_auth", ["tiktok-auth", "status"], "click"),
        ("tiktok_auth", ["tiktok-auth", "status"], "tap_tiktok_auth.cli.condition"),
        ("tiktok_auth", ["tiktok-auth", "token", "acme"], "tap_tiktok_auth.credentials.session"),
        ("tiktok_auth", ["tiktok-auth", "token", "acme"], "sqlite3"),
    ],
)
def test_ctrl_c_while_importing_is_quiet(
    world: World, entry: str, arguments: list[str], module: str
) -> None:
    """Ctrl-C in the first moments ends both commands with 130 and without a word."""
    world.keep("acme")
    program = _PRESSED.format(entry=entry, arguments=arguments, module=module)

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
