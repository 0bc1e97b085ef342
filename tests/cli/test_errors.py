"""However a command ends, nobody sees a traceback or a secret, and what is wrong is named."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials import health
from tap_tiktok_auth.credentials.manager import TokenManager
from tests.login.people import free_port
from tests.standin.runs import TAP

from .terminal import Terminal
from .world import COMMAND

if TYPE_CHECKING:
    from .world import World

STORE = "TAP_TIKTOK_AUTH_TOKEN_STORE"


def test_reader_that_goes_away_is_no_error(world: World) -> None:
    """When nobody reads the output any more, the command ends without a message."""
    stored = world.keep("acme")
    world.keep_many(*(replace(stored, name=f"c{number:02}") for number in range(40)))
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as pipe:
        assert world.process("status", stdout=pipe)[::2] == (1, "")


@pytest.mark.parametrize("error", [RuntimeError("secret"), OSError(5, "secret")])
def test_unexpected_failure_is_one_line(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A bug shows its kind, not its text, which might hold a secret, and where to see more."""

    def fail(*_: object) -> None:
        raise error

    world.keep("acme")
    monkeypatch.setattr(health, "assess", fail)

    result = world.run("status")

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert type(error).__name__ in result.stderr
    assert "LOGLEVEL=DEBUG" in result.stderr
    assert "secret" not in result.stderr


def test_ctrl_c_is_quiet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends with exit code 130 and without a message."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TokenManager, "outlook", interrupt)
    world.keep("acme")

    result = world.run("status")

    assert (result.exit_code, result.output) == (130, "")


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
        ("tiktok_auth", ["tiktok-auth", "status"], "click"),
        ("tiktok_auth", ["tiktok-auth", "status"], "tap_tiktok_auth.cli.connections_view"),
        ("tiktok_auth", ["tiktok-auth", "token", "acme"], "tap_tiktok_auth.credentials.manager"),
        ("tiktok_auth", ["tiktok-auth", "token", "acme"], "sqlite3"),
    ],
)
def test_ctrl_c_while_importing_is_quiet(
    world: World, entry: str, arguments: list[str], module: str
) -> None:
    """Ctrl-C in the first moments ends both commands with 130 and without a message."""
    world.keep("acme")
    program = _PRESSED.format(entry=entry, arguments=arguments, module=module)

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", ">/dev/full"])
@pytest.mark.parametrize(
    "arguments",
    [[COMMAND, "status"], [COMMAND, "token", "acme"], [COMMAND, "doctor", "--json"],
     [COMMAND, "--help"], [COMMAND, "exec", "acme", "--", "true"], [TAP, "--config", "ENV"],
     [TAP, "--discover"]],
    ids=lambda arguments: " ".join(map(str, arguments)).rpartition("/")[2],
)  # fmt: skip
def test_closed_streams_are_no_traceback(world: World, arguments: list[str], closed: str) -> None:
    """Whatever the shell has closed, nobody sees a traceback, and nothing else gets the output."""
    world.keep("acme")

    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    for sign in ("Traceback", "Exception ignored", "NoneType"):
        assert sign not in done.stdout + done.stderr
    stored = Path(world.url.removeprefix("sqlite:///")).read_bytes()
    assert stored.startswith(b"SQLite format 3")
    assert b"tiktok-auth" not in stored
    if ">/dev/full" in closed and "exec" not in arguments:
        assert done.returncode == 1
        assert "No space left on device" in done.stderr


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

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert said in result.stderr
    assert "not-a-key" not in result.stderr


@pytest.mark.parametrize(
    "command",
    ["status acme nobody", "refresh --force acme nobody", "events nobody", "token nobody",
     "exec nobody -- true", "revoke nobody --yes"],
)  # fmt: skip
def test_an_unknown_name_is_one_line(world: World, command: str) -> None:
    """A name that neither store nor config has ends a command before it does anything."""
    world.keep("acme")

    result = world.run(*command.split())

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "there is no connection named nobody" in result.stderr
    assert world.tiktok.calls() == []


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("statsu", "Did you mean status?"), ("log-in", "Did you mean login?"), ("xyzzy", "")],
)
def test_a_misspelled_command_is_recognised(world: World, typed: str, hint: str) -> None:
    """A command that does not exist is wrong usage; one that resembles it is named."""
    result = world.run(typed)

    assert result.exit_code == 2
    assert hint in result.stderr
    assert ("Did you mean" in result.stderr) == bool(hint)


def test_login_asks_only_for_the_secret_that_is_missing(world: World) -> None:
    """The app id of the settings is taken; the person types its secret alone."""
    app = world.tiktok.app("marketing")
    known = {"TAP_TIKTOK_AUTH_APP_ID": app.app_id}
    port = str(free_port())
    terminal = Terminal("login", "--no-browser", "--port", port, environment=known)
    terminal.wait_for("App secret: ")
    terminal.type(f"{app.app_secret}\n")
    terminal.wait_for(f"app_id={app.app_id}")
    terminal.type("\x03")

    assert terminal.end() == 130
    assert "App id" not in terminal.raw
    assert app.app_secret not in terminal.raw


@pytest.mark.parametrize(
    ("api", "missing"),
    [("marketing", "app_secret is missing"), ("login_kit", "app_id and app_secret are missing")],
)
def test_login_names_what_is_missing(world: World, api: str, missing: str) -> None:
    """Without a terminal the error names what no setting has; Login Kit has apps of its own."""
    result = world.run("login", "--api", api, TAP_TIKTOK_AUTH_APP_ID="7000000000000000000")

    assert result.exit_code == 1
    assert missing in result.stderr


#: What a person may paste in the wrong place.
TOKEN = "0f3a9c1d07be244f5a6b7c8d9e0f1a2b3c4d5e6f"
COMMANDS = ("token", "exec", "status", "refresh", "revoke", "forget", "events", "login")
NO_NAMES = ("a\x1b[31mb", "a b", "../x", "$(id)", "é", "x" * 101, "\u202e")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_name_is_not_repeated(world: World, command: str) -> None:
    """Whatever command it is given to, a NAME that is none gives one line without it."""
    after = ["--", "true"] if command == "exec" else []

    for name in NO_NAMES:
        result = world.run(command, name, *after)

        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        assert "is not a valid connection name. Allowed are letters, digits and" in result.stderr
        assert name not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["token", TOKEN],
        ["status", f"act.{TOKEN}"],
        ["revoke", TOKEN, "--yes"],
        ["token", "acme", TOKEN],
        [TOKEN],
        [f"--{TOKEN}"],
        ["status", f"--{TOKEN}"],
        ["exec", "--set", f"{TOKEN}=x", "--", "true"],
        ["exec", "--min-lifetime", TOKEN, "--", "true"],
        ["events", "--since", TOKEN],
    ],
    ids=" ".join,
)
def test_a_token_in_the_wrong_place_is_not_repeated(world: World, arguments: list[str]) -> None:
    """What looks like a token is told as ***, whatever is wrong with it there."""
    result = world.run(*arguments)

    assert result.exit_code in {1, 2}
    assert TOKEN[:12] not in result.output
    assert "***" in result.stderr


@pytest.fixture
def missing(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a store that the settings name and that is not there."""
    world.keep("acme")
    path = tmp_path / "stroe" / "tokens.db"
    monkeypatch.setenv(STORE, f"sqlite:///{path}")
    return path


@pytest.mark.parametrize(
    "command",
    ["status acme", "status", "token acme", "token", "events acme", "events --json",
     "exec acme -- true", "revoke --yes acme", "forget --yes acme", "refresh acme", "refresh",
     "doctor"],
)  # fmt: skip
def test_a_mistyped_store_is_told_and_none_is_made(
    world: World, missing: Path, command: str
) -> None:
    """The path is in the one line, and neither a file nor a folder is left behind."""
    result = world.run(*command.split())

    assert "there is no token store" in result.output
    assert str(missing) in result.output
    assert result.exit_code == (0 if command == "doctor" else 1)
    if command == "token acme":  # which has a fast path
        code, out, err = world.process(*command.split())
        assert (code, out) == (1, "")
        assert f"there is no token store at {missing}" in err
    assert not missing.parent.exists()


@pytest.mark.parametrize("command", ["status acme", "events acme", "revoke acme --yes"])
def test_reading_makes_no_store_for_a_seed(world: World, missing: Path, command: str) -> None:
    """With a code in the config the connection is pending; reading it makes no store."""
    result = world.run(*command.split(), **world.configure(acme="accounts"))

    assert result.exit_code == 0
    assert f"there is no token store at {missing} yet" in result.stderr
    assert not missing.parent.exists()
    assert world.tiktok.calls() == []


def test_a_name_that_has_no_seed_makes_no_store(world: World, missing: Path) -> None:
    """A token of another name than the config's seed makes no store either."""
    for command in ("token", "refresh"):
        result = world.run(command, "zeta", **world.configure(acme="accounts"))

        assert result.exit_code == 1
        assert "there is no connection named zeta" in result.stderr
        assert not missing.parent.exists()


def test_status_shows_what_no_run_has_tried(world: World, missing: Path) -> None:
    """In JSON too, connections of the config are pending while there is no store."""
    rows = world.json("status", **world.configure(acme="accounts", zeta="marketing"))

    assert [(row["connection"], row["status"]) for row in rows] == [
        ("acme", "pending"),
        ("zeta", "pending"),
    ]
    assert not missing.parent.exists()


@pytest.mark.parametrize(
    "command", ["token acme", "exec acme -- true", "status --check", "refresh"]
)
def test_a_seed_makes_a_store(world: World, missing: Path, command: str) -> None:
    """What exchanges the config's code makes the store that it needs."""
    code, _, _ = world.process(*command.split(), env=world.configure(acme="accounts"))

    assert code == 0
    assert missing.exists()
