"""`tiktok-auth revoke` and `forget`: at TikTok, and here."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from .world import DAY

if TYPE_CHECKING:
    from .world import World


@pytest.mark.parametrize("api", ["marketing", "accounts", "creator", "login_kit"])
def test_revoke_ends_the_token_at_tiktok(world: World, api: str) -> None:
    """TikTok takes the token no more; the row stays, without secrets."""
    world.keep("acme", api)
    token = world.secrets("acme")[1]

    result = world.run("revoke", "acme", "--yes")

    assert (result.exit_code, result.stdout) == (0, "acme: revoked at TikTok\n")
    assert world.tiktok.token_state(token) == "revoked"
    record = world.record("acme")
    assert record is not None
    assert (record.status, record.token) == ("revoked", None)


def test_revoke_twice_does_it_once(world: World) -> None:
    """A connection that is revoked already is left as it is, and that is no failure."""
    world.keep("acme")

    assert world.run("revoke", "acme", "--yes").exit_code == 0
    second = world.run("revoke", "acme", "--yes")

    assert (second.exit_code, second.stdout) == (0, "acme: revoked already\n")
    assert world.tiktok.count(action="revoke") == 1


def test_revoke_of_an_expired_token_ends_the_consent(world: World) -> None:
    """An expired token is refreshed first, so that TikTok ends what could still be refreshed."""
    world.keep("acme", age=2 * DAY)
    refresh_token = world.secrets("acme")[2]

    assert world.run("revoke", "acme", "--yes").exit_code == 0
    assert world.tiktok.token_state(refresh_token) != "live"
    assert [call.action for call in world.tiktok.calls()] == ["refresh", "revoke"]


def test_revoke_does_not_start_a_chain(world: World) -> None:
    """A new code in the config is not exchanged just to be revoked."""
    result = world.run("revoke", "acme", "--yes", **world.configure(acme="accounts"))

    assert (result.exit_code, result.stdout) == (0, "acme: it has no token to revoke\n")
    assert world.tiktok.calls() == []


def test_revoke_that_tiktok_refuses_changes_nothing(world: World) -> None:
    """If TikTok does not revoke the token, it is kept, and the line says why."""
    world.keep("acme", app_secret="not-the-app-secret")

    result = world.run("revoke", "acme", "--yes")

    assert result.exit_code == 1
    assert "connection acme: " in result.stderr
    record = world.record("acme")
    assert record is not None
    assert record.token is not None


def test_forget_removes_it_here_only(world: World) -> None:
    """The row is gone, TikTok is not told, and a line says that the token lives on."""
    world.keep("acme")
    token = world.secrets("acme")[1]

    result = world.run("forget", "acme", "--yes")

    assert (result.exit_code, result.stdout) == (0, "acme: forgotten\n")
    assert "stays valid at TikTok" in result.stderr
    assert "tiktok-auth revoke acme" in result.stderr
    assert world.record("acme") is None
    assert world.tiktok.token_state(token) == "live"
    assert world.tiktok.calls() == []


def test_forget_of_a_dead_token_warns_of_nothing(world: World) -> None:
    """A revoked connection is forgotten without a word about its token."""
    world.keep("acme")
    world.run("revoke", "acme", "--yes")

    result = world.run("forget", "acme", "--yes")

    assert (result.exit_code, result.stderr) == (0, "")


def test_forget_twice_is_no_failure(world: World) -> None:
    """What is not there needs no forgetting."""
    world.keep("acme")
    assert world.run("forget", "acme", "--yes").exit_code == 0

    result = world.run("forget", "acme", "--yes")

    assert result.exit_code == 0
    assert result.stdout == "acme: there is nothing of it in the token store\n"


def test_forget_tells_that_the_config_begins_anew(world: World) -> None:
    """Where the config has the connection too, a line says what the next run does."""
    environment = world.configure(acme="accounts")
    world.run("refresh", **environment)

    result = world.run("forget", "acme", "--yes", **environment)

    assert "the config still has acme" in result.stderr


def test_forget_mends_a_damaged_row(world: World) -> None:
    """A row that cannot be opened can be forgotten, as its error message says."""
    world.keep("acme")
    with closing(sqlite3.connect(world.url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE connections SET payload = 'rubbish'")
        connection.commit()
    assert "tiktok-auth forget acme" in world.run("status", "acme").stderr

    assert world.run("forget", "acme", "--yes").exit_code == 0
    assert world.record("acme") is None


@pytest.mark.parametrize("command", ["revoke", "forget"])
def test_without_a_terminal_yes_is_needed(world: World, command: str) -> None:
    """With nobody to ask, nothing is done, and the usage error names `--yes`."""
    world.keep("acme")

    result = world.run(command, "acme")

    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert world.record("acme") is not None
    assert world.tiktok.calls() == []


def test_revoke_of_an_unknown_name_is_one_line(world: World) -> None:
    """A name that is nowhere is an error: what the person meant to revoke still works."""
    result = world.run("revoke", "nobody", "--yes")

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
