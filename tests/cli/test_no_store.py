"""Where no token store is, commands that read say so and make none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .world import World

READING = ["status", "token", "events", "exec", "revoke --yes", "forget --yes", "refresh", "doctor"]
STORE = "TAP_TIKTOK_AUTH_TOKEN_STORE"


def called(command: str, name: str) -> list[str]:
    """Return the arguments of a command about a connection."""
    words = command.split()
    names = [] if words == ["doctor"] else [name]
    return [*words, *names, *(["--", "true"] if words == ["exec"] else [])]


@pytest.fixture
def mistyped(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a store that the settings name and that is not there."""
    world.keep("acme")
    path = tmp_path / "stroe" / "tokens.db"
    monkeypatch.setenv(STORE, f"sqlite:///{path}")
    return path


@pytest.mark.parametrize("command", READING)
def test_a_mistyped_path_is_told_and_nothing_is_made(
    world: World, mistyped: Path, command: str
) -> None:
    """The path is in the one line, and neither a file nor a folder is left behind."""
    result = world.run(*called(command, "acme"))

    assert str(mistyped) in result.output
    assert "there is no token store" in result.output
    assert result.exit_code == (0 if command == "doctor" else 1)
    assert not mistyped.parent.exists()


def test_all_of_a_script_is_told_too(world: World, mistyped: Path) -> None:
    """Without names, and as the token of a fast command, it is the same."""
    for command in (["status"], ["events", "--json"], ["refresh"], ["token"]):
        result = world.run(*command)

        assert (result.exit_code, result.stdout) == (1, "")
        assert f"there is no token store at {mistyped}" in result.stderr
    code, out, err = world.process("token", "acme")
    assert (code, out) == (1, "")
    assert f"there is no token store at {mistyped}" in err
    assert not mistyped.parent.exists()


@pytest.mark.parametrize("command", ["status acme", "events acme", "revoke acme --yes"])
def test_reading_begins_no_store_for_a_seed(world: World, mistyped: Path, command: str) -> None:
    """With a code in the config the connection is pending; a look at it makes no store."""
    result = world.run(*command.split(), **world.configure(acme="accounts"))

    assert result.exit_code == 0
    assert f"there is no token store at {mistyped} yet" in result.stderr
    assert not mistyped.parent.exists()
    assert world.tiktok.calls() == []


def test_a_name_that_has_no_seed_begins_no_store(world: World, mistyped: Path) -> None:
    """A token of another name than the config's seed makes no store either."""
    for command in ("token", "refresh"):
        result = world.run(command, "zeta", **world.configure(acme="accounts"))

        assert result.exit_code == 1
        assert "there is no connection named zeta" in result.stderr
        assert not mistyped.parent.exists()


def test_status_shows_what_no_run_has_tried(world: World, mistyped: Path) -> None:
    """In JSON too, connections of the config are pending while there is no store."""
    environment = world.configure(acme="accounts", zeta="marketing")

    rows = json.loads(world.run("status", "--json", **environment).stdout)

    assert [(row["connection"], row["status"]) for row in rows] == [
        ("acme", "pending"),
        ("zeta", "pending"),
    ]
    assert not mistyped.parent.exists()


@pytest.mark.parametrize(
    "command", ["token acme", "exec acme -- true", "status --check", "refresh"]
)
def test_a_seed_begins_a_store(world: World, mistyped: Path, command: str) -> None:
    """What exchanges the config's code makes the store that it needs."""
    code, _, _ = world.process(*command.split(), env=world.configure(acme="accounts"))

    assert code == 0
    assert mistyped.exists()
