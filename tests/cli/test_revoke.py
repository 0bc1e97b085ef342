"""`tiktok-auth revoke` and `forget`: at TikTok, and here."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from .terminal import Terminal
from .world import DAY

if TYPE_CHECKING:
    from .world import World

both = pytest.mark.parametrize("command", ["revoke", "forget"])


@pytest.mark.parametrize("api", ["marketing", "accounts", "creator", "login_kit"])
def test_revoke_ends_the_token_at_tiktok_once(world: World, api: str) -> None:
    """TikTok refuses the token, the row stays without secrets, a second revoke asks nothing."""
    world.keep("acme", api)
    token = world.token("acme").access_token

    result = world.run("revoke", "acme", "--yes")

    assert (result.exit_code, result.stdout) == (0, "acme: revoked at TikTok\n")
    assert world.tiktok.token_state(token) == "revoked"
    assert (world.stored("acme").status, world.stored("acme").token) == ("revoked", None)
    again = world.run("revoke", "acme", "--yes")
    assert (again.exit_code, again.stdout) == (0, "acme: revoked already\n")
    assert world.tiktok.count(action="revoke") == 1


def test_revoke_of_an_expired_token_ends_the_consent(world: World) -> None:
    """An expired token is refreshed first, so that TikTok ends what could still be refreshed."""
    world.keep("acme", age=2 * DAY)
    refresh_token = world.token("acme").refresh_token
    assert refresh_token is not None

    assert world.run("revoke", "acme", "--yes").exit_code == 0
    assert world.tiktok.token_state(refresh_token) != "live"
    assert [call.action for call in world.tiktok.calls()] == ["refresh", "revoke"]


def test_revoke_does_not_start_a_chain(world: World) -> None:
    """A code in the config is not exchanged just to be revoked, whatever the store has."""
    acme = world.configure(acme="accounts")
    result = world.run("revoke", "acme", "--yes", **acme)
    assert (result.exit_code, result.stdout) == (0, "acme: it has no token to revoke\n")
    assert world.tiktok.calls() == []

    world.keep("acme")
    assert world.run("revoke", "acme", "--yes", **acme).exit_code == 0
    assert [call.action for call in world.tiktok.calls()] == ["revoke"]


def test_revoke_that_tiktok_refuses_changes_nothing(world: World) -> None:
    """If TikTok does not revoke the token, it is kept, and the line says why."""
    before = world.keep("acme", app_secret="not-the-app-secret")

    result = world.run("revoke", "acme", "--yes")

    assert result.exit_code == 1
    assert "connection acme: " in result.stderr
    assert world.token("acme") == before.token


def test_forget_removes_it_here_only(world: World) -> None:
    """The row is gone, TikTok is not told, and a line says that the token still works there."""
    world.keep("acme")
    token = world.token("acme").access_token

    result = world.run("forget", "acme", "--yes")

    assert (result.exit_code, result.stdout) == (0, "acme: forgotten\n")
    assert "stays valid at TikTok" in result.stderr
    assert "tiktok-auth revoke acme" in result.stderr
    assert world.record("acme") is None
    assert world.tiktok.token_state(token) == "live"
    assert world.tiktok.calls() == []


@pytest.mark.parametrize(
    ("age", "changes"),
    [(0, {"status": "revoked", "token": None}), (0, {"status": "reauthorization_required"}),
     (400 * DAY, {})],
    ids=["revoked", "refused", "expired"],
)  # fmt: skip
def test_forget_of_a_token_that_no_longer_works_warns_of_nothing(
    world: World, age: float, changes: dict[str, Any]
) -> None:
    """What does not work at TikTok is forgotten without a warning; a second time is no failure."""
    world.keep("acme", age=age, **changes)

    result = world.run("forget", "acme", "--yes")
    again = world.run("forget", "acme", "--yes")

    assert (result.exit_code, result.stderr) == (0, "")
    assert again.exit_code == 0
    assert again.stdout == "acme: there is nothing of it in the token store\n"


def test_forget_warns_of_a_token_that_can_be_refreshed(world: World) -> None:
    """An expired token with a refresh token still gives access to whoever has it."""
    world.keep("acme", age=2 * DAY)

    assert "stays valid at TikTok" in world.run("forget", "acme", "--yes").stderr


def test_forget_tells_that_the_config_begins_anew(world: World) -> None:
    """Where the config has the connection too, a line says what the next run does."""
    environment = world.configure(acme="accounts")
    world.run("refresh", **environment)

    result = world.run("forget", "acme", "--yes", **environment)

    assert "the config still has acme" in result.stderr


def test_forget_fixes_a_damaged_row(world: World) -> None:
    """A row that cannot be opened can be forgotten, as its error message says."""
    world.keep("acme")
    with closing(sqlite3.connect(world.url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE connections SET payload = 'rubbish'")
        connection.commit()
    assert "tiktok-auth forget acme" in world.run("status", "acme").stderr

    assert world.run("forget", "acme", "--yes").exit_code == 0
    assert world.record("acme") is None


@both
@pytest.mark.parametrize("arguments", [["acme"], [], ["--yes"]])
def test_without_a_terminal_both_name_and_yes_are_needed(
    world: World, command: str, arguments: list[str]
) -> None:
    """With nobody to ask, or nobody named, nothing is done; the usage error names `--yes`."""
    before = world.keep("acme")

    result = world.run(command, *arguments)

    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert world.stored("acme") == before
    assert world.tiktok.calls() == []


@pytest.mark.parametrize(
    ("arguments", "keys", "code", "done"),
    [
        (["revoke", "acme"], "y\n", 0, True),
        (["revoke"], "\n", 1, False),
        (["revoke", "acme"], "\x03", 130, False),
        (["forget", "acme"], "y\n", 0, True),
        (["forget"], "n\n", 1, False),
    ],
    ids=["revoke-yes", "revoke-enter", "revoke-ctrl-c", "forget-yes", "forget-no"],
)
def test_person_is_asked_first(
    world: World, arguments: list[str], keys: str, code: int, done: bool
) -> None:
    """The question names the connection; only a yes goes on; Enter and Ctrl-C change nothing."""
    world.keep("acme")

    terminal = Terminal(*arguments)
    terminal.wait_for("[y/N]")
    terminal.type(keys)

    assert terminal.end() == code
    record = world.record("acme")
    assert (record is None or record.token is None) == done
    assert "acme" in terminal.raw.partition("[y/N]")[0]
    assert "Traceback" not in terminal.raw
    assert ("nothing was changed" in terminal.raw) == (code == 1)
