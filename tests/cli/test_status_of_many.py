"""`tiktok-auth status` for those who look after hundreds of connections."""

from __future__ import annotations

import re
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


def names(output: str) -> list[str]:
    """Return the connections of a plain table, in its order."""
    return [line.split()[0] for line in output.splitlines()[1:]]


def numbered(record: StoredConnection, count: int, prefix: str = "c") -> list[StoredConnection]:
    """Return connections like this one."""
    return [replace(record, name=f"{prefix}{number:04}") for number in range(count)]


def ending(record: StoredConnection, days: float, **changes: Any) -> StoredConnection:
    """Return a connection like this one whose consent ends in so many days."""
    assert record.token is not None
    token = replace(record.token, consent_deadline=time.time() + days * DAY)
    return replace(record, token=token, generation=record.generation + 1, **changes)


@pytest.fixture
def agency(world: World) -> World:
    """A store with connections in all conditions, the well ones first by name."""
    failure = LastError("TikTok did not answer", time.time(), "50000")
    world.keep("a-well", "marketing")
    world.keep("b-gone", status="revoked", token=None)
    world.keep("c-late", age=60)
    world.keep("d-soon", age=60)
    world.keep("e-failing", age=DAY - 900, status="refresh_failing", failure=failure)
    world.keep("f-stuck", age=2 * DAY, status="unconfirmed", failure=failure)
    world.keep("g-over", age=400 * DAY)
    for name, days in (("c-late", 20), ("d-soon", 5)):
        record = world.record(name)
        assert record is not None
        world.keep_many(ending(record, days))
    return world


def test_the_most_urgent_come_first(agency: World) -> None:
    """Who needs a person, then who has no token, who fails, who ends soon, all others by name."""
    assert names(agency.run("status").stdout) == [
        "g-over", "f-stuck", "e-failing", "d-soon", "c-late", "a-well", "b-gone",
    ]  # fmt: skip


def test_json_stays_in_the_order_of_names(agency: World) -> None:
    """Scripts get the list as before."""
    found = [row["connection"] for row in agency.json("status")]

    assert found == sorted(found)


def test_problems_are_those_that_need_someone(agency: World) -> None:
    """`--problems` leaves out what is well, and tells the reason of each that it shows."""
    result = agency.run("status", "--problems")

    assert names(result.stdout) == ["g-over", "f-stuck", "e-failing", "d-soon", "c-late"]
    for name in names(result.stdout):
        assert f"connection {name}: " in result.stderr
    assert "TikTok did not answer" in result.stderr
    assert result.exit_code == 3
    rows = agency.json("status", "--problems")
    assert {row["connection"] for row in rows} == set(names(result.stdout))


@pytest.mark.parametrize(
    ("within", "found"),
    [("4d", ["g-over"]), ("6d", ["g-over", "d-soon"]), ("30d", ["g-over", "d-soon", "c-late"])],
)
def test_expiring_are_those_that_end_within(agency: World, within: str, found: list[str]) -> None:
    """`--expiring` shows consents that end within the duration, and those that have ended."""
    result = agency.run("status", "--expiring", within)

    assert names(result.stdout) == found
    assert [row["connection"] for row in agency.json("status", "--expiring", within)] == sorted(
        found
    )


def test_expiring_looks_further_than_the_warnings(agency: World) -> None:
    """A duration beyond consent_warning_days is taken as it is, in half days too."""
    environment = {"TAP_TIKTOK_AUTH_CONSENT_WARNING_DAYS": "1"}

    for within, found in (("480h", True), ("19.5d", False)):
        shown = names(agency.run("status", "--expiring", within, **environment).stdout)
        assert ("c-late" in shown) == found, within


def test_a_token_that_nothing_renews_ends_too(world: World) -> None:
    """An access token without a refresh token needs a person when it ends."""
    record = world.keep("acme")
    assert record.token is not None
    world.keep_many(
        replace(record, token=replace(record.token, refresh_token=None, consent_deadline=None),
                generation=2)
    )  # fmt: skip

    assert names(world.run("status", "--expiring", "2d").stdout) == ["acme"]
    assert names(world.run("status", "--expiring", "2h").stdout) == []


@pytest.mark.parametrize("text", ["soon", "30", "-1d", "d"])
def test_durations_are_those_of_the_other_commands(world: World, text: str) -> None:
    """What `--due-within` takes is what `--expiring` takes."""
    world.keep("acme")

    ours = world.run("status", "--expiring", text)
    theirs = world.run("refresh", "--due-within", text)

    assert (ours.exit_code == 2) == (theirs.exit_code == 2)


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


def test_the_table_of_two_hundred_fits_and_breaks_no_name(world: World) -> None:
    """On 80 columns no row is wider, and each name stands whole, whatever else is there."""
    record = world.keep("a-brand-of-the-largest-client")
    failed = ending(record, -3, status="reauthorization_required")
    world.keep_many(
        *numbered(record, 120, "client-of-agency-"),
        *(replace(one, generation=1) for one in numbered(failed, 79, "another-client-")),
    )
    world.keep("tto", "creator_marketplace")

    _, terminal = run("status")

    table = [line for line in terminal.lines if not line.startswith("tiktok-auth: ")]
    first = [line.split()[0] for line in table if line and line[0] not in " ─"]
    assert len([name for name in first if name != "connection"]) == 201
    assert max(map(len, table)) <= 80
    assert "a-brand-of-the-largest-client" in first


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
def test_one_look_into_the_store_shows_all(
    world: World, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """However many connections there are, the store is listed once, and no row is read alone."""
    world.keep_many(*numbered(world.keep("acme"), count - 1))
    calls = {"records": 0, "read": 0}

    for method in calls:
        plain = getattr(SqlStore, method)

        def counted(*given: Any, _name: str = method, _plain: Any = plain) -> Any:
            calls[_name] += 1
            return _plain(*given)

        monkeypatch.setattr(SqlStore, method, counted)
    result = world.run("status", "--fail-on", "warning")

    assert result.exit_code == 0
    assert len(names(result.stdout)) == count
    assert calls == {"records": 1, "read": 0}


def test_events_break_no_name_and_no_fingerprint(world: World) -> None:
    """On 80 columns each event has its connection and its fingerprints whole."""
    name = "a-customer-with-a-very-long-name.and-a-region@emea:production"
    world.keep(name, age=DAY - 900)
    world.keep("acme", age=DAY - 900)
    world.run("refresh")

    _, terminal = run("events")
    plain = world.run("events").stdout

    text = "\n".join(terminal.lines)
    assert max(len(line) for line in terminal.lines if name not in line) <= 80
    assert any(name in line for line in terminal.lines)
    prints = re.findall(r"\b[0-9a-f]{16}\b", plain)
    assert len(prints) == 4
    assert all(one in text for one in prints)
