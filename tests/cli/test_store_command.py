"""`tiktok-auth store`: another key, another database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.models import TokenRequestMark
from tap_tiktok_auth.store import keys, open_store
from tap_tiktok_auth.store.keys import new_key
from tests.postgres_server import PASSWORD

if TYPE_CHECKING:
    from .world import World

KEY, STORE = "TAP_TIKTOK_AUTH_TOKEN_STORE_KEY", "TAP_TIKTOK_AUTH_TOKEN_STORE"
COPY_KEY, COPY_TO = "TAP_TIKTOK_AUTH_COPY_KEY", "TAP_TIKTOK_AUTH_COPY_TO"


def test_rotation_to_the_first_key_of_the_setting(world: World) -> None:
    """With NEW,OLD everything is sealed with NEW, and OLD is needed no more."""
    world.keep("acme")
    new = new_key()

    result = world.run("store", "rotate-key", **{KEY: f"{new},{world.key}"})

    assert (result.exit_code, result.stdout) == (0, "1 connection sealed with the new key\n")
    assert world.run("token", "acme", **{KEY: new}).exit_code == 0
    assert "key does not fit" in world.run("token", "acme").stderr
    assert not any(key in result.output for key in (new, world.key))


def test_rotation_with_one_key_says_what_to_do(world: World) -> None:
    """With one key there is nothing to rotate to; the steps come in the order that is safe."""
    world.keep("acme")

    for key in (world.key, f"{world.key},{world.key}"):
        result = world.run("store", "rotate-key", **{KEY: key})

        assert result.exit_code == 1
        assert "tiktok-auth keygen" in result.stderr
        assert 0 < result.stderr.index("OLD,NEW") < result.stderr.index("NEW,OLD")
        assert world.key not in result.output


def test_rotation_of_the_key_file(world: World) -> None:
    """Without the setting, a new key is put in front of the key file, mode 0600, and used."""
    environment = world.configure(acme="accounts")
    assert world.run("refresh", **environment, **{KEY: None}).exit_code == 0
    file = keys.default_key_file()
    old = file.read_text().strip()

    result = world.run("store", "rotate-key", **{KEY: None})

    new = file.read_text().strip().split(",")
    assert result.exit_code == 0
    assert (len(new), new[1]) == (2, old)
    assert file.stat().st_mode & 0o777 == 0o600
    assert world.run("token", "acme", **{KEY: new[0]}).exit_code == 0
    assert "key does not fit" in world.run("token", "acme", **{KEY: old}).stderr
    assert str(file) in result.stderr
    assert not any(key in result.output for key in new)


def test_processes_that_run_meanwhile_go_on(world: World) -> None:
    """A store that was opened before the rotation reads and writes after it."""
    environment = world.configure(acme="accounts")
    world.run("refresh", **environment, **{KEY: None})
    running = open_store(world.url, None)
    try:
        before = running.read("acme")
        assert world.run("store", "rotate-key", **{KEY: None}).exit_code == 0
        assert running.read("acme") == before
    finally:
        running.close()


def test_copy_to_another_file(world: World) -> None:
    """Connections, ad accounts and events arrive; the lines say what to do next."""
    environment = world.configure(acme="marketing")
    assert world.run("refresh", **environment).exit_code == 0
    assert world.run("status", "--check", **environment).exit_code == 0
    world.keep("beta")
    url = f"sqlite:///{world.folder / 'new' / 'tokens.db'}"

    result = world.run("store", "copy", url)

    assert result.exit_code == 0
    assert result.stdout == f"copied 2 connections, 3 ad accounts and 4 events to {url}\n"
    assert "set token_store to the new store" in result.stderr
    assert "Never use both" in result.stderr
    here, there = (world.json("status"), _status(world, url, world.key))
    assert [_lasting(row) for row in here] == [_lasting(row) for row in there]
    assert world.run("events").stdout == world.run("events", **{STORE: url}).stdout


def test_copy_takes_a_key_of_its_own(world: World) -> None:
    """With TAP_TIKTOK_AUTH_COPY_KEY the new store is sealed with that key."""
    world.keep("acme")
    url, key = f"sqlite:///{world.folder / 'new' / 'tokens.db'}", new_key()

    result = world.run("store", "copy", url, **{COPY_KEY: key})

    assert result.exit_code == 0
    assert key not in result.output
    assert _status(world, url, key)[0]["connection"] == "acme"
    assert "key does not fit" in world.run("status", **{STORE: url}).stderr


@pytest.mark.postgres
def test_copy_to_postgres_and_back(world: World, postgres_url: str) -> None:
    """SQLite to PostgreSQL to another SQLite file: tokens, ad accounts and events are the same."""
    environment = world.configure(acme="marketing", beta="accounts")
    world.run("refresh", **environment)
    tokens = [world.run("token", name).stdout for name in ("acme", "beta")]
    events = world.json("events")

    there = world.run("store", "copy", **{COPY_TO: postgres_url})
    back = f"sqlite:///{world.folder / 'back' / 'tokens.db'}"
    again = world.run("store", "copy", back, **{STORE: postgres_url})

    assert (there.exit_code, again.exit_code) == (0, 0)
    assert PASSWORD not in there.output + again.output
    environment[STORE] = back
    assert [world.run("token", n, **environment).stdout for n in ("acme", "beta")] == tokens
    assert [row["event_id"] for row in _events(world, back)] == [row["event_id"] for row in events]
    assert world.tiktok.count(action="exchange") == 2


def test_postgres_needs_a_key(world: World) -> None:
    """A shared store without a key is refused before anything is opened."""
    result = world.run("store", "copy", "postgresql://127.0.0.1:9/db", **{KEY: None})

    assert result.exit_code == 1
    assert COPY_KEY in result.stderr
    assert "tiktok-auth keygen" in result.stderr


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://tap:hunter2hunter2@127.0.0.1:9/db",
        "postgresql+psycopg://tap:hunter2hunter2@127.0.0.1:9/db",
        "postgresql://127.0.0.1:9/db?user=tap&password=hunter2hunter2",
        "postgresql://tap:hunter2hunter2[@127.0.0.1:9/db",
    ],
)
def test_password_on_the_command_line_is_refused(world: World, url: str) -> None:
    """Everyone on the machine sees command lines, so a password there is a usage error."""
    result = world.run("store", "copy", url)

    assert result.exit_code == 2
    assert COPY_TO in result.stderr
    assert "hunter2" not in result.output


def test_target_must_be_empty(world: World) -> None:
    """A store that holds something is not overwritten."""
    world.keep("acme")
    url = f"sqlite:///{world.folder / 'new' / 'tokens.db'}"
    assert world.run("store", "copy", url).exit_code == 0

    result = world.run("store", "copy", url)

    assert result.exit_code == 1
    assert "is not empty" in result.stderr


@pytest.mark.parametrize(
    ("url", "said"), [("tokens.db", "the new store's address"), (None, "is the token store of")]
)
def test_wrong_target_is_one_line(world: World, url: str | None, said: str) -> None:
    """An address that is none, and the store itself, are refused in one line."""
    world.keep("acme")

    result = world.run("store", "copy", url or world.url)

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert said in result.stderr


def test_target_is_needed(world: World) -> None:
    """Without an address the usage error says the two ways to give it."""
    result = world.run("store", "copy")

    assert result.exit_code == 2
    assert COPY_TO in result.stderr


def test_request_under_way_is_told(world: World) -> None:
    """A connection that was being refreshed during the copy is named: its token may be dead."""
    world.keep("acme", attempt=TokenRequestMark("ab" * 32, 1.0, "sent"))

    result = world.run("store", "copy", f"sqlite:///{world.folder / 'new' / 'tokens.db'}")

    assert result.exit_code == 0
    assert "connection acme: a token request was under way" in result.stderr


def _status(world: World, url: str, key: str) -> list[dict[str, object]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, url)
        patch.setenv(KEY, key)
        found: list[dict[str, object]] = world.json("status")
    return found


def _events(world: World, url: str) -> list[dict[str, object]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, url)
        found: list[dict[str, object]] = world.json("events")
    return found


def _lasting(row: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "checked_at"}
