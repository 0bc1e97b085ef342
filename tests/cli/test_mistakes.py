"""What is misspelled or missing is named, and what is known is not asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli import main
from tap_tiktok_auth.store.keys import new_key
from tests.login.people import free_port

from .terminal import Terminal

if TYPE_CHECKING:
    from .world import World


@pytest.mark.parametrize(("typed", "meant"), [("statsu", "status"), ("log-in", "login")])
def test_a_misspelled_command_is_recognised(typed: str, meant: str) -> None:
    """A command that does not exist ends as wrong usage, and names the one that was meant."""
    result = CliRunner().invoke(main, [typed])

    assert result.exit_code == 2
    assert f"Did you mean {meant}?" in result.stderr


def test_a_strange_command_is_told_as_such() -> None:
    """Nothing is suggested for a word that resembles no command."""
    result = CliRunner().invoke(main, ["xyzzy"])

    assert result.exit_code == 2
    assert "Did you mean" not in result.stderr


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


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("api", "missing"),
    [("marketing", "app_secret is missing"), ("login_kit", "app_id and app_secret are missing")],
)
def test_login_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, api: str, missing: str
) -> None:
    """Without a terminal the error names what no setting has; Login Kit has apps of its own."""
    monkeypatch.setenv("TAP_TIKTOK_AUTH_APP_ID", "7000000000000000000")

    result = CliRunner().invoke(main, ["login", "--api", api])

    assert result.exit_code == 1
    assert missing in result.stderr


#: What a person may paste in the wrong place.
TOKEN = "0f3a9c1d07be244f5a6b7c8d9e0f1a2b3c4d5e6f"
COMMANDS = ("token", "exec", "status", "refresh", "revoke", "forget", "events")


@pytest.mark.parametrize("command", [*COMMANDS, "login"])
@pytest.mark.parametrize("name", ["a\x1b[31mb", "a b", "../x", "$(id)", "é", "x" * 101, "\u202e"])
def test_what_is_no_name_is_not_repeated(world: World, command: str, name: str) -> None:
    """Whatever command it is given to, a NAME that is none gives one line without it."""
    after = ["--", "true"] if command == "exec" else []

    result = world.run(command, name, *after)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "is not a connection's name. Allowed are letters, digits and" in result.stderr
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


def test_the_fast_way_repeats_no_name_either(world: World) -> None:
    """Also where no command line is loaded, and the store is broken."""
    world.keep("acme")
    wrong = {"TAP_TIKTOK_AUTH_TOKEN_STORE_KEY": new_key()}

    for environment in ({}, wrong):
        code, out, err = world.process("token", "a\x1b[31mb", env=environment)

        assert (code, out) == (1, "")
        assert err.count("\n") == 1
        assert "\x1b" not in err
