"""What is misspelled or missing is named, and what is known is not asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli import main
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
