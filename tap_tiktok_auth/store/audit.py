"""The audit trail."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials.models import StoredEvent
from tap_tiktok_auth.store import meta, rows
from tap_tiktok_auth.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_tiktok_auth.credentials.models import Event
    from tap_tiktok_auth.store.database import Cursor, Database

_SELECT = f"SELECT {', '.join(rows.EVENT_COLUMNS)} FROM events"  # noqa: S608  (own constants)
_INSERT = (
    f"INSERT INTO events ({', '.join(rows.EVENT_COLUMNS)})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(rows.EVENT_COLUMNS))})"
)
_LAST = "last_event_id"
_PAGE = 5_000
#: Digits of the ids of events.
_DIGITS = 16


def append(cursor: Cursor, events: Iterable[Event], now: float) -> None:
    """Append events to the audit trail.

    Ids are taken from one locked row, so that they grow in the order of commits and a reader that
    resumes after an id misses nothing. They follow the clock, so that a reader can resume in a
    store that replaced another.
    """
    events = list(events)
    if not events:
        return
    meta.lock(cursor, _LAST)
    last = _last(cursor)
    host, pid = os.uname().nodename, os.getpid()
    first = max(last + 1, int(now * 1_000_000))
    insert(
        cursor,
        [
            StoredEvent(event_id, now, event, host, pid, VERSION)
            for event_id, event in enumerate(events, start=first)
        ],
    )


def _last(cursor: Cursor) -> int:
    """Return the last event's id, as far as it can be believed."""
    last = meta.get(cursor, _LAST).get(_LAST, "")
    return int(last) if last.isdecimal() and len(last) <= _DIGITS else 0


def whole(cursor: Cursor) -> tuple[StoredEvent, ...]:
    """Return the whole audit trail."""
    cursor.execute(f"{_SELECT} ORDER BY event_id")
    return tuple(rows.readable(cursor.fetchall(), rows.to_event))


def pages(
    database: Database, after: int | None, since: float | None, connection: str | None
) -> Iterator[StoredEvent]:
    """Return events in the order of their commits, holding a page of them at a time."""
    conditions: list[str] = ["event_id > ?"]
    values: list[float | str] = []
    if since is not None:
        conditions.append("occurred_at >= ?")
        values.append(since)
    if connection is not None:
        conditions.append("connection = ?")
        values.append(connection)
    statement = f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY event_id LIMIT {_PAGE}"
    last = -1 if after is None else after
    while True:
        with database.reading() as cursor:
            cursor.execute(statement, (last, *values))
            page = cursor.fetchall()
        yield from rows.readable(page, rows.to_event)
        if len(page) < _PAGE:
            return
        last = page[-1][0]


def insert(cursor: Cursor, events: Sequence[StoredEvent]) -> None:
    """Store events as they are; the last is the youngest of all."""
    if events:
        cursor.executemany(_INSERT, [rows.from_event(event) for event in events])
        meta.put(cursor, _LAST, str(events[-1].event_id))
