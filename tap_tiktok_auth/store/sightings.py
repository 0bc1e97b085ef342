"""The ad accounts that connections have or had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials.models import AdvertiserAccess, Event
from tap_tiktok_auth.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_tiktok_auth.credentials.models import EventName
    from tap_tiktok_auth.store.contract import AdvertiserListing
    from tap_tiktok_auth.store.database import Cursor, Database

_SELECT = (
    f"SELECT {', '.join(rows.ADVERTISER_COLUMNS)} FROM advertisers"  # noqa: S608  (own constants)
    " WHERE connection = ?"
)
_UPSERT = (
    f"INSERT INTO advertisers (connection, {', '.join(rows.ADVERTISER_COLUMNS)})"  # noqa: S608
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (connection, advertiser_id) DO UPDATE SET name = excluded.name,"
    " source = excluded.source, first_seen_at = excluded.first_seen_at,"
    " last_seen_at = excluded.last_seen_at, lost_at = excluded.lost_at"
)
_PAGE = 5_000


def record(
    cursor: Cursor, connection: str, sighting: AdvertiserListing, now: float
) -> Iterator[Event]:
    """Store the ad accounts that were seen, and return what changed as events.

    The connection's row is locked, so that two sightings of one connection do not mix.
    """
    cursor.execute(_SELECT, (connection,))
    known = {one.advertiser_id: one for one in rows.readable(cursor, rows.to_advertiser)}
    changed = list(_changed(known, sighting, now))
    put(cursor, connection, changed)
    if sighting.complete:
        cursor.execute(
            "UPDATE advertisers SET last_seen_at = ? WHERE connection = ? AND lost_at IS NULL",
            (now, connection),
        )
    for one in changed:
        before = known.get(one.advertiser_id)
        if before is None or (before.lost_at is None) != (one.lost_at is None):
            what: EventName = "advertiser_granted" if one.lost_at is None else "advertiser_lost"
            yield Event(what, connection, advertiser_id=one.advertiser_id)


def every(cursor: Cursor, connection: str) -> list[AdvertiserAccess]:
    """Return the ad accounts of a connection, sorted by id."""
    cursor.execute(f"{_SELECT} ORDER BY advertiser_id", (connection,))
    return list(rows.readable(cursor.fetchall(), rows.to_advertiser))


def pages(database: Database, connection: str) -> Iterator[AdvertiserAccess]:
    """Return the ad accounts of a connection, sorted by id, holding a page at a time."""
    statement = f"{_SELECT} AND advertiser_id > ? ORDER BY advertiser_id LIMIT {_PAGE}"
    last = ""
    while True:
        with database.reading() as cursor:
            cursor.execute(statement, (connection, last))
            page = cursor.fetchall()
        yield from rows.readable(page, rows.to_advertiser)
        if len(page) < _PAGE:
            return
        last = page[-1][0]


def put(cursor: Cursor, connection: str, advertisers: Iterable[AdvertiserAccess]) -> None:
    """Store ad accounts as they are."""
    values = [(connection, *rows.from_advertiser(one)) for one in advertisers]
    if values:
        cursor.executemany(_UPSERT, values)


def _changed(
    known: dict[str, AdvertiserAccess], sighting: AdvertiserListing, now: float
) -> Iterator[AdvertiserAccess]:
    """Return the ad accounts whose rows change by more than being seen again."""
    present = {rows.storable(one): name for one, name in sighting.advertisers}
    for advertiser_id, name in present.items():
        before = known.get(advertiser_id)
        if before is None:
            yield AdvertiserAccess(advertiser_id, name, sighting.source, now, now)
            continue
        seen = before._replace(name=name or before.name, source=sighting.source, lost_at=None)
        if seen != before or not sighting.complete:
            yield seen._replace(last_seen_at=now)
    if sighting.complete:
        for advertiser_id, before in known.items():
            if advertiser_id not in present and before.lost_at is None:
                yield before._replace(lost_at=now)
