"""`tiktok-auth events`: the audit trail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.credentials.models import Event, StoredEvent
from tap_tiktok_auth.store.contract import Snapshot

from .world import DAY

if TYPE_CHECKING:
    from .world import World


@pytest.fixture
def trail(world: World) -> World:
    """A store with events of two connections: five days, two days and one minute old."""
    now = time.time()
    ages = [(5 * DAY, "acme"), (2 * DAY, "beta"), (60, "acme")]
    stored = tuple(
        StoredEvent(
            int((now - age) * 1_000_000),
            now - age,
            Event(
                "refresh_failed", name, "aa" * 8, None, None, "40105", "TikTok refuses the token"
            ),
            "host",
            7,
            "0.1.0",
        )
        for age, name in ages
    )
    with world.store() as store:
        store.restore(Snapshot(b"k" * 32, (), {}, stored))
    return world


def connections(rows: list[dict[str, Any]]) -> list[str]:
    """Return whose events these are."""
    return [row["connection"] for row in rows]


def test_plain_table_tells_what_happened(trail: World) -> None:
    """In a pipe each event is a line: when, to which connection, what, and why."""
    heading, *lines = trail.run("events").stdout.splitlines()

    assert heading.split() == ["TIME", "CONNECTION", "EVENT", "DETAILS"]
    assert [line.split()[1] for line in lines] == ["acme", "beta", "acme"]
    assert lines[0].endswith(f"{'aa' * 8} TikTok refuses the token (TikTok code 40105)")


def test_refresh_shows_both_fingerprints_and_no_token(world: World) -> None:
    """A refresh is told by the fingerprints before and after; no secret is shown."""
    world.keep("acme", age=DAY - 900)
    before = world.secrets("acme")
    world.run("refresh")

    result = world.run("events", "acme")

    assert "refreshed" in result.stdout
    assert " -> " in result.stdout
    assert not any(secret in result.output for secret in (*before, *world.secrets("acme")))


def test_json_is_a_list_of_the_streams_rows(trail: World) -> None:
    """`--json` prints the rows of the stream token_events."""
    rows = trail.json("events")

    assert connections(rows) == ["acme", "beta", "acme"]
    assert rows[0]["error_code"] == "40105"
    assert len(rows[0]["event_id"]) == 16


def test_name_limits_it(trail: World) -> None:
    """Only the events of that connection appear."""
    assert connections(trail.json("events", "beta")) == ["beta"]


@pytest.mark.parametrize(
    ("since", "expected"), [("3d", 2), ("1w", 3), ("1h", 1), ("10s", 0), ("2099-01-01", 0)]
)
def test_since_limits_it(trail: World, since: str, expected: int) -> None:
    """A duration counts back from now, a date begins at midnight UTC; none is an empty list."""
    assert len(trail.json("events", "--since", since)) == expected


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.000+00:00", "%Y-%m-%d"])
def test_since_takes_rfc_3339(trail: World, form: str) -> None:
    """A moment in RFC 3339, or a date, is a place to start from."""
    moment = time.strftime(form, time.gmtime(time.time() - 3.5 * DAY))

    assert connections(trail.json("events", "--since", moment)) == ["beta", "acme"]


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "12:00", "-1d", "7"])
def test_wrong_time_is_a_usage_error(trail: World, text: str) -> None:
    """What is no time is refused, with examples."""
    result = trail.run("events", "--since", text)

    assert result.exit_code == 2
    assert "2026-01-31T12:00:00Z" in result.stderr


def test_forgotten_connection_keeps_its_events(world: World) -> None:
    """The trail of a connection can be read when the connection is gone."""
    world.keep("acme", age=DAY - 900)
    world.run("refresh")
    world.run("forget", "acme", "--yes")

    assert connections(world.json("events", "acme")) == ["acme"]


def test_unknown_name_is_one_line(trail: World) -> None:
    """A name that neither the store nor the trail knows is an error, a quiet period is none."""
    assert trail.run("events", "nobody").exit_code == 1
    assert "no connection named nobody" in trail.run("events", "nobody").stderr
    assert trail.run("events", "acme", "--since", "1s").exit_code == 0
