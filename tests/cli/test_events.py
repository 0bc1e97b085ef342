"""`tiktok-auth events`: the audit trail."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.credentials.models import Event, StoredEvent
from tap_tiktok_auth.store.contract import Snapshot

from .terminal import run
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
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", lines[0])
    assert lines[0].endswith(f"{'aa' * 8} TikTok refuses the token (TikTok code 40105)")


def test_json_is_a_list_of_the_streams_rows(trail: World) -> None:
    """`--json` prints the rows of the stream token_events, of one connection if it is named."""
    rows = trail.json("events")

    assert connections(rows) == ["acme", "beta", "acme"]
    assert rows[0]["error_code"] == "40105"
    assert len(rows[0]["event_id"]) == 16
    assert connections(trail.json("events", "beta")) == ["beta"]


@pytest.mark.parametrize(
    ("since", "expected"), [("3d", 2), ("1w", 3), ("1h", 1), ("10s", 0), ("2099-01-01", 0)]
)
def test_since_limits_it(trail: World, since: str, expected: int) -> None:
    """A duration counts back from now, a date begins at midnight UTC; none is an empty list."""
    assert len(trail.json("events", "--since", since)) == expected


@pytest.mark.parametrize("form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.000+00:00", "%Y-%m-%d"])
def test_since_takes_rfc_3339(trail: World, form: str) -> None:
    """A time in RFC 3339, or a date, is a place to start from."""
    moment = time.strftime(form, time.gmtime(time.time() - 3.5 * DAY))

    assert connections(trail.json("events", "--since", moment)) == ["beta", "acme"]


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


def test_a_terminal_shows_names_and_fingerprints_whole_and_no_token(world: World) -> None:
    """On 80 columns a refresh has its connection and both fingerprints whole; no secret appears."""
    name = "a-customer-with-a-very-long-name.and-a-region@emea:production"
    world.keep(name, age=DAY - 900)
    world.keep("acme", age=DAY - 900)
    secrets = world.secrets("acme")
    world.run("refresh")
    secrets += world.secrets("acme")

    _, terminal = run("events")
    plain = world.run("events").stdout

    text = "\n".join(terminal.lines)
    assert max(len(line) for line in terminal.lines if name not in line) <= 80
    assert any(name in line for line in terminal.lines)
    assert plain.count(" -> ") == 2
    prints = re.findall(r"\b[0-9a-f]{16}\b", plain)
    assert len(prints) == 4
    assert all(one in text for one in prints)
    assert not any(secret in plain + text for secret in secrets)
