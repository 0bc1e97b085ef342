"""Without a name the only connection is meant, else the one named default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.login.people import free_port

from .terminal import Terminal

if TYPE_CHECKING:
    from .world import World

USES = {
    "token": ["token"],
    "exec": ["exec", "--", "sh", "-c", 'printf %s "$TIKTOK_ACCESS_TOKEN"'],
}


@pytest.mark.parametrize("names", [["acme"], ["default"], ["acme", "default", "zeta"]])
@pytest.mark.parametrize("command", list(USES))
def test_one_rule_for_using_a_token(world: World, command: str, names: list[str]) -> None:
    """`token` and `exec` take the only connection, else the one named default."""
    tokens = {name: world.keep(name).token for name in names}
    meant = tokens[names[0] if len(names) == 1 else "default"]
    assert meant is not None

    code, out, err = world.process(*USES[command])

    assert (code, out.strip(), err) == (0, meant.access_token, "")


@pytest.mark.parametrize("command", ["token", "exec -- true", "revoke", "forget"])
def test_several_without_a_default_need_a_name(world: World, command: str) -> None:
    """Nothing is guessed among several connections."""
    world.keep("acme")
    world.keep("zeta")

    result = world.run(*command.split())

    assert result.exit_code == 1
    assert "Name one of: acme, zeta" in result.stderr


@pytest.mark.parametrize("command", ["revoke", "forget"])
def test_ending_the_only_connection_is_asked_about_by_its_name(world: World, command: str) -> None:
    """What ends a connection names the one that is meant, and waits for a yes."""
    world.keep("acme")

    terminal = Terminal(command)
    terminal.wait_for("[y/N]")
    terminal.type("n\n")

    assert terminal.end() == 1
    assert "acme" in terminal.raw
    record = world.record("acme")
    assert record is not None
    assert record.token is not None


@pytest.mark.parametrize("command", ["revoke", "forget"])
def test_ending_without_asking_needs_the_name(world: World, command: str) -> None:
    """`--yes` is for a connection that is named: nothing is ended by a default."""
    world.keep("acme")

    result = world.run(command, "--yes")

    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert world.record("acme") is not None
    assert world.tiktok.calls() == []


@pytest.mark.parametrize("options", [["--no-browser"], ["--with-token"]])
def test_login_does_not_replace_the_only_connection_unasked(
    world: World, options: list[str]
) -> None:
    """Without a terminal, a login must say whether it is for the connection that is there."""
    before = world.keep("acme")

    result = world.run("login", *options)

    assert result.exit_code == 2
    assert "Name the connection: acme again, or a new one" in result.stderr
    assert world.record("acme") == before


def test_login_asks_whether_the_only_connection_is_meant(world: World) -> None:
    """On a terminal the only connection is meant, once the person agrees."""
    world.keep("acme", "marketing")

    terminal = Terminal("login", "--no-browser", "--port", str(free_port()))
    terminal.wait_for("Log in again as acme?")
    terminal.type("n\n")

    assert terminal.end() == 1
    assert "nothing was changed" in terminal.raw


@pytest.mark.parametrize("command", ["login", "token", "exec", "revoke", "forget"])
def test_the_rule_is_in_the_help(world: World, command: str) -> None:
    """Each command about one connection tells what it takes without a name."""
    text = " ".join(world.run(command, "--help").stdout.split())

    assert "Without NAME the only connection is meant" in text
    assert "else the one named default" in text
