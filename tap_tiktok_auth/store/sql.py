"""The token store over any SQL database: one code path for SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.errors import StoreDamaged, StoreError, StoreKeyError
from tap_tiktok_auth.store import audit, connections, logins, rows, sightings
from tap_tiktok_auth.store.contract import Claim, Snapshot, Store
from tap_tiktok_auth.store.keys import WRONG_KEY, Keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_tiktok_auth.credentials.models import (
        AdvertiserAccess,
        Event,
        PendingLogin,
        StoredConnection,
        StoredEvent,
    )
    from tap_tiktok_auth.store.contract import AdvertiserListing
    from tap_tiktok_auth.store.database import Cursor, Database
    from tap_tiktok_auth.store.keys import Cipher


class SqlStore(Store):
    """A token store.

    Args:
        database: The database, migrated already.
        load_cipher: Returns the cipher; gets whether the store is new. Called again when the
            store was sealed with a key that is not known yet.

    Raises:
        StoreKeyError: The key does not fit the store.
    """

    def __init__(self, database: Database, load_cipher: Callable[[bool], Cipher]) -> None:
        self._database = database
        self._keys = Keyring(database, load_cipher)

    @property
    def location(self) -> str:
        return self._database.location

    @property
    def cipher(self) -> Cipher:
        return self._keys.cipher

    def now(self) -> float:
        return self._database.now()

    def digest(self, material: str) -> str:
        return self._keys.digest(material)

    # Connections

    def read(self, name: str) -> StoredConnection | None:
        with self._database.reading() as cursor:
            row, _, _ = connections.select(cursor, name)
        return None if row is None else self._opened(row)

    def records(
        self, damaged: Callable[[str, str, StoreDamaged], None] | None = None
    ) -> list[StoredConnection]:
        with self._database.reading() as cursor:
            found = connections.every(cursor)
        return self._readable(found, damaged)

    def claim(
        self,
        name: str,
        holder: str,
        ttl: float,
        prepare: Callable[[StoredConnection | None], StoredConnection | None],
        *,
        dead: str | None = None,
    ) -> Claim:
        free = {None, dead}
        with self._database.reading() as cursor:  # so that those who wait write nothing
            row, current = self._held(cursor, name, ttl)
        if row is not None and current not in free:
            return Claim("busy", self._opened(row), current)
        with self._database.writing() as cursor:
            key, locked = self._lock(cursor, name)
            row, current = self._held(cursor, name, ttl)
            record = None if row is None else self._opened(row, cursor)
            if current not in free:
                return Claim("busy", record, current)
            if record is not None and not locked:  # another process inserted it in between
                return Claim("busy", record)
            prepared = prepare(record)
            if prepared is None:
                return Claim("declined", record)
            columns = {"held_by": holder, "held_until": self.now() + ttl}
            if record is None or row is None:
                sealed = self._sealed(prepared, key)
                cursor.execute(connections.INSERT_NEW, tuple(sealed.values()))
                if cursor.rowcount != 1:  # another process was faster to insert it
                    return Claim("busy", None)
            else:
                columns |= self._changes(row, record, prepared, key)
            connections.update(cursor, name, columns)
        return Claim("held", prepared)

    def renew(self, name: str, holder: str, ttl: float) -> bool:
        with self._database.writing() as cursor:
            cursor.execute(
                "UPDATE connections SET held_until = ? WHERE name = ? AND held_by = ?",
                (self.now() + ttl, name, holder),
            )
            return cursor.rowcount == 1

    def release(self, name: str, holder: str) -> None:
        with self._database.writing() as cursor:
            connections.release(cursor, name, holder)

    def commit(
        self,
        record: StoredConnection,
        holder: str | None,
        *,
        before: StoredConnection | None = None,
        events: Iterable[Event] = (),
        sighting: AdvertiserListing | None = None,
        patience: float | None = None,
    ) -> bool:
        with self._database.writing(patience=patience) as cursor:
            key, _ = self._lock(cursor, record.name)
            columns = self._sealed(record, key)
            row = connections.select(cursor, record.name)[0]
            if rows.is_current(row, before, record):
                cursor.execute(connections.UPSERT, tuple(columns.values()))
                self._note(cursor, record.name, events, sighting)
            # A commit that was carried out, but whose confirmation was lost, is repeated.
            elif row is None or not connections.same(row, columns):
                return False
            if holder is not None:
                connections.release(cursor, record.name, holder)
        return True

    def amend(
        self,
        record: StoredConnection,
        columns: tuple[str, ...],
        *,
        events: Iterable[Event] = (),
        sighting: AdvertiserListing | None = None,
    ) -> bool:
        with self._database.writing() as cursor:
            key, _ = self._lock(cursor, record.name)
            row = connections.select(cursor, record.name)[0]
            if row is None or row[rows.COLUMNS.index("generation")] != record.generation:
                return False
            changed = rows.unsealed_changes(row, record, columns, self.fingerprint)
            if changed is None:
                current = self._opened(row, cursor)
                amended = replace(current, **{name: getattr(record, name) for name in columns})
                changed = self._changes(row, current, amended, key)
            if changed:
                connections.update(cursor, record.name, changed)
            self._note(cursor, record.name, events, sighting)
        return True

    def forget(self, name: str, holder: str | None = None) -> bool:
        ours, values = ("", (name,)) if holder is None else (" AND held_by = ?", (name, holder))
        with self._database.writing() as cursor:
            # The connection first, as in every other transaction.
            cursor.execute(f"DELETE FROM connections WHERE name = ?{ours}", values)  # noqa: S608
            found = cursor.rowcount == 1
            if found or holder is None:
                cursor.execute("DELETE FROM advertisers WHERE connection = ?", (name,))
        return found

    # What is seen beside tokens

    def advertisers(self, name: str) -> Iterator[AdvertiserAccess]:
        return sightings.pages(self._database, name)

    def events(
        self,
        *,
        after: int | None = None,
        since: float | None = None,
        connection: str | None = None,
    ) -> Iterator[StoredEvent]:
        return audit.pages(self._database, after, since, connection)

    # Logins that are under way

    def begin_login(self, state: str, login: PendingLogin) -> None:
        with self._database.writing() as cursor:
            key, _ = self._lock(cursor, login.connection)
            logins.begin(cursor, self.cipher, key, self.digest(state), login)

    def take_login(
        self, state: str, max_age: float, check: Callable[[PendingLogin], None] | None = None
    ) -> PendingLogin | None:
        with self._database.writing() as cursor:
            logins.delete_before(cursor, self.now() - max_age)
            login = logins.take(cursor, self._keys, self.digest(state))
            if login is not None and check is not None:
                check(login)
            return login

    # Care

    def check_writable(self) -> None:
        with self._database.writing() as cursor:
            cursor.execute("UPDATE meta SET value = value WHERE name = 'schema_version'")

    def exposures(self) -> Iterator[tuple[str, str]]:
        return self._database.exposures()

    def rotate_key(
        self, cipher: Cipher, damaged: Callable[[str, str, StoreDamaged], None] | None = None
    ) -> int:
        with self._keys.restored_on_error(), self._database.writing(exclusive=True) as cursor:
            if not cipher.has(self._keys.sealing_key(cursor)):
                raise StoreKeyError("the token store's key is not among these", next_step=WRONG_KEY)
            count = 0
            for name, api, sealed in connections.payloads(cursor):
                try:
                    again = cipher.seal(cipher.open(sealed))
                except (StoreDamaged, StoreKeyError) as error:
                    if damaged is None:
                        raise
                    shown = rows.name_shown(name)
                    damaged(shown, rows.label(api), rows.as_damage(error, name))
                else:
                    connections.update(cursor, name, {"payload": again})
                    count += 1
            logins.seal_again(cursor, cipher)
            self._keys.cipher = cipher
            self._keys.put_hash_key(cursor, self._keys.hash_key)
        return count

    def snapshot(self, damaged: Callable[[str, str, StoreDamaged], None] | None = None) -> Snapshot:
        with self._database.writing(exclusive=True) as cursor:
            records = self._readable(connections.every(cursor), damaged, cursor)
            return Snapshot(
                hash_key=self._keys.hash_key,
                records=tuple(records),
                events=audit.whole(cursor),
                advertisers={r.name: tuple(sightings.every(cursor, r.name)) for r in records},
            )

    def restore(self, snapshot: Snapshot) -> None:
        with self._keys.restored_on_error(), self._database.writing(exclusive=True) as cursor:
            self._refuse_unless_empty(cursor)
            self._keys.sealing_key(cursor)  # a key that was changed meanwhile is loaded
            self._keys.put_hash_key(cursor, snapshot.hash_key)
            for record in snapshot.records:
                sealed = self._sealed(record, self.cipher.primary)
                cursor.execute(connections.UPSERT, tuple(sealed.values()))
                sightings.put(cursor, record.name, snapshot.advertisers[record.name])
            audit.insert(cursor, snapshot.events)

    def close(self) -> None:
        self._database.close()

    # Within a transaction

    def _refuse_unless_empty(self, cursor: Cursor) -> None:
        cursor.execute("SELECT (SELECT count(*) FROM connections) + (SELECT count(*) FROM events)")
        if cursor.fetchone()[0]:
            raise StoreError(
                f"the token store {self.location} is not empty",
                next_step="Copy into a new, empty store.",
            )

    def _lock(self, cursor: Cursor, name: str) -> tuple[str, bool]:
        """Lock a connection's row; return the key to seal it with, and whether there is one.

        The lock comes first: a change of the store's key keeps all writers of connections out, so
        whoever has passed here sees the key that stays until the end of the transaction.
        """
        cursor.execute("UPDATE connections SET name = name WHERE name = ?", (name,))
        locked = cursor.rowcount == 1
        return self._keys.sealing_key(cursor), locked

    def _held(
        self, cursor: Cursor, name: str, ttl: float
    ) -> tuple[tuple[Any, ...] | None, str | None]:
        """Return a connection's row, and who holds its lease at this moment.

        One that would last more than two terms was not taken in this way, so nobody holds it.
        """
        row, holder, until = connections.select(cursor, name)
        now = self.now()
        held = isinstance(holder, str) and now < until <= now + 2 * connections.term(holder, ttl)
        return row, holder if held else None

    def _readable(
        self,
        found: list[tuple[Any, ...]],
        damaged: Callable[[str, str, StoreDamaged], None] | None,
        cursor: Cursor | None = None,
    ) -> list[StoredConnection]:
        records = []
        for row in found:
            try:
                records.append(self._opened(row, cursor))
            except StoreDamaged as error:
                if damaged is None:
                    raise
                name, api, *_ = row
                damaged(rows.name_shown(name), rows.label(api), error)
        return records

    def _opened(self, row: tuple[Any, ...], cursor: Cursor | None = None) -> StoredConnection:
        """Return a row as a record; *cursor* is that of the transaction, if one is open.

        Raises:
            StoreDamaged: The row cannot be trusted, or is sealed with a key that is not there.
            StoreKeyError: It is the store's own key that is not there.
        """
        try:
            return self._keys.opening(lambda cipher: rows.to_record(row, cipher))
        except StoreKeyError as error:
            if cursor is not None:
                self._keys.sealing_key(cursor)
            else:
                with self._database.reading() as own:
                    self._keys.sealing_key(own)
            raise rows.as_damage(error, row[0]) from None

    def _changes(
        self, row: tuple[Any, ...], before: StoredConnection, after: StoredConnection, key: str
    ) -> dict[str, Any]:
        return rows.changes(row, before, after, self.cipher, key, self.fingerprint)

    def _sealed(self, record: StoredConnection, key: str) -> dict[str, Any]:
        return rows.from_record(record, self.cipher, key, self.fingerprint)

    def _note(
        self, cursor: Cursor, name: str, events: Iterable[Event], sighting: AdvertiserListing | None
    ) -> None:
        now = self.now()
        seen = sightings.record(cursor, name, sighting, now) if sighting else ()
        audit.append(cursor, (*events, *seen), now)
