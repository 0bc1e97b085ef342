"""What is kept beside tokens: the audit trail, and the ad accounts that connections have or had.

Rows that this program did not write are left out or come back clean, so that they spoil no others.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from tap_tiktok_auth.credentials.models import (
    AdvertiserAccess,
    AdvertiserSource,
    Event,
    StoredEvent,
)
from tap_tiktok_auth.errors import warn
from tap_tiktok_auth.store import rows, schema
from tap_tiktok_auth.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tap_tiktok_auth.credentials.models import AdvertiserListing, EventName
    from tap_tiktok_auth.store.database import Cursor, Database

T = TypeVar("T")

#: Rows that are held at a time.
_PAGE = 5_000
#: The value of `meta` that has the last event's id.
_LAST = "last_event_id"
#: Digits of event ids: more of them would hide all later events behind a bookmark.
_DIGITS = 16

_EVENT = (
    "event_id, occurred_at, host, pid, tap_version, event, connection, fingerprint_before,"
    " fingerprint_after, advertiser_id, error_code, error_message, request_id"
)
_EVENTS = f"SELECT {_EVENT} FROM events"
_INSERT_EVENT = f"INSERT INTO events ({_EVENT}) VALUES ({', '.join('?' * 13)})"

_ADVERTISER = "advertiser_id, name, source, first_seen_at, last_seen_at, lost_at"
_ADVERTISERS = f"SELECT {_ADVERTISER} FROM advertisers WHERE connection = ?"
_UPSERT_ADVERTISER = (
    f"INSERT INTO advertisers (connection, {_ADVERTISER}) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (connection, advertiser_id) DO UPDATE SET name = excluded.name,"
    " source = excluded.source, first_seen_at = excluded.first_seen_at,"
    " last_seen_at = excluded.last_seen_at, lost_at = excluded.lost_at"
)


def note(
    cursor: Cursor,
    connection: str,
    events: Iterable[Event],
    listing: AdvertiserListing | None,
    now: float,
) -> None:
    """Note events and a listing of ad accounts, in the transaction that has locked a connection.

    Event ids are taken from one locked row, so that they grow in the order of commits and a reader
    that resumes after an id misses nothing. They follow the clock, so that a reader can resume in
    a store that replaced another.
    """
    events = [*events, *(_list(cursor, connection, listing, now) if listing else ())]
    if not events:
        return
    cursor.execute("UPDATE meta SET value = value WHERE name = ?", (_LAST,))
    last = schema.get_values(cursor, _LAST).get(_LAST, "")
    known = int(last) if last.isdecimal() and len(last) <= _DIGITS else 0
    first = max(known + 1, int(now * 1_000_000))
    origin = os.uname().nodename, os.getpid(), VERSION
    put_events(
        cursor, [StoredEvent(first + n, now, event, *origin) for n, event in enumerate(events)]
    )


def put_events(cursor: Cursor, events: Sequence[StoredEvent]) -> None:
    """Store events as they are; the last is the youngest of all."""
    if events:
        values = [(event_id, at, *origin, *event) for event_id, at, event, *origin in events]
        cursor.executemany(_INSERT_EVENT, [tuple(map(rows.storable, one)) for one in values])
        schema.put_value(cursor, _LAST, str(events[-1].event_id))


def put_advertisers(
    cursor: Cursor, connection: str, advertisers: Iterable[AdvertiserAccess]
) -> None:
    """Store ad accounts as they are."""
    values = [(connection, *map(rows.storable, one)) for one in advertisers]
    if values:
        cursor.executemany(_UPSERT_ADVERTISER, values)


def all_events(cursor: Cursor) -> tuple[StoredEvent, ...]:
    """Return the whole audit trail."""
    cursor.execute(f"{_EVENTS} ORDER BY event_id")
    return tuple(_readable(cursor, _event))


def all_advertisers(cursor: Cursor, connection: str) -> tuple[AdvertiserAccess, ...]:
    """Return the ad accounts of a connection, sorted by id."""
    cursor.execute(f"{_ADVERTISERS} ORDER BY advertiser_id", (connection,))
    return tuple(_readable(cursor, _advertiser))


def events(
    database: Database, after: int | None, since: float | None, connection: str | None
) -> Iterator[StoredEvent]:
    """Return events in the order of their commits, holding a page of them at a time."""
    conditions = {"occurred_at >= ?": since, "connection = ?": connection}
    given = {words: value for words, value in conditions.items() if value is not None}
    return _pages(
        database,
        f"{_EVENTS} WHERE {' AND '.join([*given, 'event_id > ?'])} ORDER BY event_id",
        tuple(given.values()),
        -1 if after is None else after,
        _event,
    )


def advertisers(database: Database, connection: str) -> Iterator[AdvertiserAccess]:
    """Return the ad accounts of a connection, sorted by id, holding a page of them at a time."""
    statement = f"{_ADVERTISERS} AND advertiser_id > ? ORDER BY advertiser_id"
    return _pages(database, statement, (connection,), "", _advertiser)


def _pages(
    database: Database,
    statement: str,
    values: tuple[Any, ...],
    last: Any,  # noqa: ANN401  (an id)
    read: Callable[[tuple[Any, ...]], T],
) -> Iterator[T]:
    """Yield what rows stand for; the statement's last value is the id of the last one."""
    while True:
        with database.reading() as cursor:
            cursor.execute(f"{statement} LIMIT {_PAGE}", (*values, last))
            page = cursor.fetchall()
        yield from _readable(page, read)
        if len(page) < _PAGE:
            return
        last = page[-1][0]


def _readable(
    found: Iterable[tuple[Any, ...]], read: Callable[[tuple[Any, ...]], T]
) -> Iterator[T]:
    """Yield what rows stand for; those that make no sense are left out, and counted."""
    left_out = 0
    for row in found:
        try:
            yield read(row)
        except (AttributeError, TypeError, ValueError):
            left_out += 1
    if left_out:
        warn("%d damaged rows of the token store are left out.", left_out)


def _event(row: tuple[Any, ...]) -> StoredEvent:
    event_id, occurred_at, host, pid, tap_version, name, connection, *rest = row
    if not (0 <= event_id < 10**_DIGITS and isinstance(pid, int)) or None in (
        host,
        tap_version,
        name,
        connection,
    ):
        raise ValueError("not an event")
    told = (None if text is None else rows.label(text, 500) for text in rest)
    event = Event(rows.label(name), rows.label(connection), *told)  # type: ignore[arg-type]
    origin = rows.label(host), pid, rows.label(tap_version)
    return StoredEvent(event_id, rows.moment(occurred_at), event, *origin)


def _advertiser(row: tuple[Any, ...]) -> AdvertiserAccess:
    advertiser_id, name, source, first_seen_at, last_seen_at, lost_at = row
    if not rows.plain(advertiser_id) or source not in get_args(AdvertiserSource):
        raise ValueError("not an ad account")
    return AdvertiserAccess(
        advertiser_id,
        None if name is None else rows.label(name, 500),
        source,
        rows.moment(first_seen_at),
        rows.moment(last_seen_at),
        None if lost_at is None else rows.moment(lost_at),
    )


def _list(
    cursor: Cursor, connection: str, listing: AdvertiserListing, now: float
) -> Iterator[Event]:
    """Store the ad accounts of a listing, and yield what changed as events."""
    known = {one.advertiser_id: one for one in all_advertisers(cursor, connection)}
    changed = list(_changed(known, listing, now))
    put_advertisers(cursor, connection, changed)
    if listing.complete:
        cursor.execute(
            "UPDATE advertisers SET last_seen_at = ? WHERE connection = ? AND lost_at IS NULL",
            (now, connection),
        )
    for one in changed:
        before = known.get(one.advertiser_id)
        if before is None or (before.lost_at is None) != (one.lost_at is None):
            name: EventName = "advertiser_granted" if one.lost_at is None else "advertiser_lost"
            yield Event(name, connection, advertiser_id=one.advertiser_id)


def _changed(
    known: dict[str, AdvertiserAccess], listing: AdvertiserListing, now: float
) -> Iterator[AdvertiserAccess]:
    """Yield the ad accounts whose rows change by more than being seen again."""
    present = {rows.storable(one): name for one, name in listing.advertisers}
    for advertiser_id, name in present.items():
        before = known.get(advertiser_id)
        if before is None:
            yield AdvertiserAccess(advertiser_id, name, listing.source, now, now)
            continue
        seen = before._replace(name=name or before.name, source=listing.source, lost_at=None)
        if seen != before or not listing.complete:
            yield seen._replace(last_seen_at=now)
    if listing.complete:
        for advertiser_id, before in known.items():
            if advertiser_id not in present and before.lost_at is None:
                yield before._replace(lost_at=now)
