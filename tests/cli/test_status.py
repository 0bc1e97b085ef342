"""`tiktok-auth status`: the state of the connections, without asking TikTok."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.credentials.models import LastError
from tap_tiktok_auth.store.sql import SqlStore

from .terminal import run
from .world import DAY

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.models import StoredConnection

    from .world import World

FAILURE = LastError("TikTok did not answer", time.time(), "50000")


def rows(output: str) -> dict[str, list[str]]:
    """Return the cells of a plain table by the first of them, without the heading."""
    return {line.split()[0]: line.split()[1:] for line in output.splitlines()[1:]}


def numbered(stored: StoredConnection, count: int, prefix: str = "c") -> list[StoredConnection]:
    """Return connections like this one."""
    return [replace(stored, name=f"{prefix}{number:04}") for number in range(count)]


@pytest.fixture
def agency(world: World) -> World:
    """A store with connections in all conditions, those that are well first by name."""
    world.keep("a-well", "marketing")
    world.keep("b-gone", status="revoked", token=None)
    world.keep("c-late", age=60)
    world.keep("d-soon", age=60)
    world.keep("e-failing", age=DAY - 900, status="refresh_failing", failure=FAILURE)
    world.keep("f-stuck", age=2 * DAY, status="unconfirmed", failure=FAILURE)
    world.keep("g-over", age=400 * DAY)
    for name, days in (("c-late", 20), ("d-soon", 5)):
        world.change_token(name, consent_deadline=time.time() + days * DAY)
    return world


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


def test_tiktok_is_not_asked(world: World) -> None:
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
    world.keep("acme", age=age, **{"failure": FAILURE, **changes})

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
    world.keep("acme")
    for days, told in ((31, False), (29, True)):
        world.change_token("acme", consent_deadline=time.time() + days * DAY)

        result = world.run("status")

        assert result.exit_code == 0
        assert ("its consent ends on" in result.stderr) == told


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


def test_the_most_urgent_come_first(agency: World) -> None:
    """Who needs a person, then who has no token, who fails, who ends soon, all others by name."""
    assert [*rows(agency.run("status").stdout)] == [
        "g-over", "f-stuck", "e-failing", "d-soon", "c-late", "a-well", "b-gone",
    ]  # fmt: skip


def test_problems_are_those_that_need_someone(agency: World) -> None:
    """`--problems` leaves out what is well, and tells the reason of each that it shows."""
    result = agency.run("status", "--problems")

    assert [*rows(result.stdout)] == ["g-over", "f-stuck", "e-failing", "d-soon", "c-late"]
    for name in rows(result.stdout):
        assert f"connection {name}: " in result.stderr
    assert "TikTok did not answer" in result.stderr
    assert result.exit_code == 3
    found = agency.json("status", "--problems")
    assert {row["connection"] for row in found} == set(rows(result.stdout))


@pytest.mark.parametrize(
    ("within", "found"),
    [("4d", ["g-over"]), ("6d", ["g-over", "d-soon"]), ("30d", ["g-over", "d-soon", "c-late"])],
)
def test_expiring_are_those_that_end_within(agency: World, within: str, found: list[str]) -> None:
    """`--expiring` shows consents that end within the duration, and those that have ended."""
    result = agency.run("status", "--expiring", within)

    assert [*rows(result.stdout)] == found
    assert [row["connection"] for row in agency.json("status", "--expiring", within)] == sorted(
        found
    )


def test_expiring_looks_further_than_the_warnings(agency: World) -> None:
    """A duration beyond consent_warning_days is taken as it is, in half days too."""
    environment = {"TAP_TIKTOK_AUTH_CONSENT_WARNING_DAYS": "1"}

    for within, found in (("480h", True), ("19.5d", False)):
        shown = rows(agency.run("status", "--expiring", within, **environment).stdout)
        assert ("c-late" in shown) == found, within


def test_a_token_that_nothing_renews_ends_too(world: World) -> None:
    """An access token without a refresh token needs a person when it expires."""
    world.keep("acme")
    world.change_token("acme", refresh_token=None, consent_deadline=None)

    assert [*rows(world.run("status", "--expiring", "2d").stdout)] == ["acme"]
    assert [*rows(world.run("status", "--expiring", "2h").stdout)] == []
    assert world.run("status").exit_code == 0
    assert world.run("status", "--fail-on", "warning").exit_code == 3


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        (["c-late"], (0, 3)),
        (["d-soon", "--expiring", "1d"], (0, 0)),
        (["d-soon", "--expiring", "6d"], (0, 3)),
        (["e-failing"], (0, 1)),
        (["f-stuck"], (1, 1)),
        (["g-over"], (3, 3)),
        (["a-well", "b-gone"], (0, 0)),
    ],
)
def test_warnings_can_fail(agency: World, options: list[str], codes: tuple[int, int]) -> None:
    """With `--fail-on warning` what will need someone has the exit code of what does."""
    plain = agency.run("status", *options)
    strict = agency.run("status", *options, "--fail-on", "warning")
    as_json = agency.run("status", *options, "--fail-on", "warning", "--json")

    assert (plain.exit_code, strict.exit_code) == codes
    assert as_json.exit_code == codes[1]


def test_the_last_line_has_the_sums(agency: World) -> None:
    """What there is of each status, and how many will need a person, ends what is told."""
    last = agency.run("status").stderr.splitlines()[-1]

    assert "7 connections: 1 reauthorization_required, 1 unconfirmed, 1 refresh_failing, " in last
    assert "3 active, 1 revoked; 2 will need a person within 30 days" in last
    _, terminal = run("status")
    assert terminal.lines[-1] == last
    assert "5 shown of 7 connections: " in agency.run("status", "--problems").stderr


def test_a_healthy_pipe_stays_quiet(world: World) -> None:
    """Where all is well and nobody looks, nothing is on stderr, so that cron sends no mail."""
    world.keep_many(*numbered(world.keep("acme"), 3))

    assert world.run("status").stderr == ""


def test_two_hundred_alike_are_a_few_lines(world: World) -> None:
    """What many connections have in common is told by the first, and by how many more."""
    over = world.keep("over", age=400 * DAY)
    world.keep_many(*numbered(over, 200))

    for command in ("status", "refresh"):
        told = world.run(command).stderr.splitlines()

        assert len(told) < 6, command
        assert any("connection c0000: the consent ended" in line for line in told)
        assert any("200 more like this" in line for line in told)


@pytest.mark.parametrize("count", [10, 150])
def test_one_query_shows_all(world: World, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """However many connections there are, the store is listed once, and no row is read alone."""
    world.keep_many(*numbered(world.keep("acme"), count - 1))
    calls: list[str] = []

    def counted(name: str, plain: Any) -> Any:
        def method(*given: Any) -> Any:
            calls.append(name)
            return plain(*given)

        return method

    for name in ("records", "read"):
        monkeypatch.setattr(SqlStore, name, counted(name, getattr(SqlStore, name)))
    result = world.run("status", "--fail-on", "warning")

    assert result.exit_code == 0
    assert len(rows(result.stdout)) == count
    assert calls == ["records"]
