"""`tiktok-auth status`: how the connections are, without asking anyone."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.credentials.models import LastError

from .world import DAY

if TYPE_CHECKING:
    from .world import World

WARNING = 30 * DAY


def rows(output: str) -> dict[str, list[str]]:
    """Return the cells of a plain table by the first of them, without the heading."""
    return {line.split()[0]: line.split()[1:] for line in output.splitlines()[1:]}


def test_plain_table_has_one_line_for_each_connection(world: World) -> None:
    """In a pipe each connection is one line whose cells awk finds."""
    world.keep("acme", "marketing")
    world.keep("beta", "accounts", age=3_600)

    result = world.run("status")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == [
        "CONNECTION", "API", "STATUS", "TIME_LEFT", "CONSENT_ENDS",
    ]  # fmt: skip
    found = rows(result.stdout)
    assert found["acme"] == ["marketing", "active", "long-term", "-"]
    assert found["beta"][:2] == ["accounts", "active"]
    assert found["beta"][2].startswith("22h59m")
    assert "\x1b" not in result.stdout


def test_nobody_is_asked(world: World) -> None:
    """Neither a due token nor a code in the config makes it call TikTok."""
    world.keep("stale", age=DAY - 60)
    result = world.run("status", **world.configure(fresh="marketing"))

    assert rows(result.stdout)["fresh"] == ["marketing", "pending", "-", "-"]
    assert result.exit_code == 0
    assert world.tiktok.calls() == []


def test_names_limit_it_and_repeat_nothing(world: World) -> None:
    """Only the connections that are named appear, each once."""
    for name in ("acme", "beta", "gamma"):
        world.keep(name)

    assert list(rows(world.run("status", "gamma", "acme", "gamma").stdout)) == ["gamma", "acme"]


def test_unknown_name_is_one_line(world: World) -> None:
    """A name that neither store nor config has is one line on stderr, and exit code 1."""
    world.keep("acme")

    result = world.run("status", "acme", "nobody")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "there is no connection named nobody" in result.stderr


def test_no_connection_at_all_says_how_to_get_one(world: World) -> None:
    """An empty store and config end with the command that makes a connection."""
    result = world.run("status")

    assert result.exit_code == 1
    assert "tiktok-auth login" in result.stderr


def test_json_is_a_list_of_token_metadata(world: World) -> None:
    """`--json` prints the rows of the stream, and not a secret."""
    world.keep("acme", age=3_600)

    (row,) = world.json("status")

    assert row["connection"] == "acme"
    assert (row["status"], row["token_state"]) == ("active", "fresh")
    assert row["consent_days_left"] in {364, 365}  # the date, for a deadline of 365 days less 1 h
    assert row["verified_at"] is None
    assert not any(secret in str(row) for secret in world.secrets("acme"))


@pytest.mark.parametrize(
    ("age", "changes", "exit_code", "shown"),
    [
        (60, {}, 0, "active"),
        (DAY - 60, {"status": "refresh_failing"}, 0, "refresh_failing"),
        (2 * DAY, {}, 0, "active"),
        (2 * DAY, {"status": "unconfirmed"}, 1, "unconfirmed"),
        (400 * DAY, {}, 3, "reauthorization_required"),
        (60, {"status": "revoked", "token": None, "failure": None}, 0, "revoked"),
    ],
    ids=["fresh", "failing", "refreshable", "failed", "consent-over", "revoked"],
)
def test_exit_code_says_who_is_needed(
    world: World, age: float, changes: dict[str, Any], exit_code: int, shown: str
) -> None:
    """Three if a person must act, one if there is no token for another reason, else zero."""
    failure = LastError("TikTok did not answer", time.time(), "50000")
    world.keep("acme", age=age, **{"failure": failure, **changes})

    result = world.run("status")

    assert result.exit_code == exit_code
    assert rows(result.stdout)["acme"][1] == shown
    assert ("connection acme: " in result.stderr) == (exit_code != 0)


def test_refused_refresh_needs_a_person_while_the_token_works(world: World) -> None:
    """Once TikTok refused the refresh token, a person hears of it before the token ends."""
    world.keep("acme", age=DAY - 900)
    world.tiktok.revoke(world.secrets("acme")[2])
    assert world.run("refresh").exit_code == 3

    result = world.run("status")

    assert result.exit_code == 3
    assert rows(result.stdout)["acme"][2].endswith(("m", "s"))


def test_refused_access_token_needs_a_person(world: World) -> None:
    """A long-term token that TikTok refuses is shown as ended, and by which code."""
    world.keep("acme", "marketing")
    world.tiktok.revoke(world.secrets("acme")[1])
    assert world.run("status", "--check").exit_code == 3

    result = world.run("status")

    assert result.exit_code == 3
    assert rows(result.stdout)["acme"] == ["marketing", "reauthorization_required", "ended", "-"]
    assert "TikTok code" in result.stderr
    assert "tiktok-auth login acme" in result.stderr


def test_consent_that_ends_soon_is_told(world: World) -> None:
    """A consent deadline within the warning time is a line on stderr, and no failure."""
    record = world.keep("acme")
    assert record.token is not None
    soon = replace(record.token, consent_deadline=time.time() + WARNING - DAY)
    with world.store() as store:
        store.commit(replace(record, token=soon, generation=2), None)

    result = world.run("status")

    assert result.exit_code == 0
    assert "its consent ends on" in result.stderr


def test_check_has_tiktok_confirm(world: World) -> None:
    """`--check` exchanges what is pending, and TikTok's own word is in the result."""
    world.keep("beta")
    world.keep("gone", status="revoked", token=None)

    result = world.run("status", "--check", "--json", **world.configure(acme="marketing"))

    found = {row["connection"]: row for row in json.loads(result.stdout)}
    assert found["acme"]["verified_at"] is not None
    assert found["acme"]["advertiser_count"] == len(world.tiktok.advertiser_ids)
    assert found["beta"]["verified_at"] is not None
    assert (found["gone"]["status"], found["gone"]["verified_at"]) == ("revoked", None)
    assert result.exit_code == 0
    assert world.tiktok.count(action="exchange") == 1


def test_json_has_nothing_else_on_stdout_when_something_is_wrong(world: World) -> None:
    """Warnings and errors go to stderr or into the rows, never beside the JSON."""
    world.keep("acme", age=400 * DAY)
    world.keep("beta")

    found = world.json("status")

    assert [row["connection"] for row in found] == ["acme", "beta"]
    assert "consent ended" in found[0]["last_error_message"]
