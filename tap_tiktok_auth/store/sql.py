"""The token store over any SQL database: one code path for SQLite and PostgreSQL."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from tap_tiktok_auth.credentials.models import PendingLogin
from tap_tiktok_auth.errors import StoreDamaged, StoreError, StoreKeyError
from tap_tiktok_auth.store import audit, rows
from tap_tiktok_auth.store.contract import Snapshot, Store
from tap_tiktok_auth.store.keys import WRONG_KEY, Keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.credentials.models import AdvertiserAccess, StoredEvent
    from tap_tiktok_auth.store.contract import Damaged, Row, Write
    from tap_tiktok_auth.store.database import Cursor, Database
    from tap_tiktok_auth.store.keys import Cipher

T = TypeVar("T")

_ROW = (*rows.COLUMNS, "held_by", "held_until")
_SELECT = f"SELECT {', '.join(_ROW)} FROM connections"


class SqlStore(Store):
    """A token store in a SQL database.

    Args:
        database: The database, migrated already.
        load_cipher: Returns the cipher; gets whether the store is new. Called again when the
            store was sealed with a key that is not known yet.

    Raises:
        StoreKeyError: The key does not fit the store.
    """

    def __init__(self, database: Database, load_cipher: Callable[[bool], Cipher]) -> None:
        super().__init__(Keyring(database, load_cipher))
        self._database = database

    @property
    def location(self) -> str:
        return self._database.location

    def now(self) -> float:
        return self._database.now()

    def _row(self, name: str) -> Row | None:
        with self._database.reading() as cursor:
            return _found(cursor, name)

    def _rows(self) -> list[Row]:
        with self._database.reading() as cursor:
            return _all(cursor)

    def _change(
        self,
        name: str,
        decide: Callable[[Row | None, str], tuple[T, Write | None]],
        *,
        patience: float | None = None,
    ) -> T:
        while True:
            with self._database.writing(patience=patience) as cursor:
                key, locked = self._lock(cursor, name)
                row = _found(cursor, name)
                if row is not None and not locked:
                    continue  # another process inserted it in between
                answer, write = decide(row, key)
                if write is None:
                    return answer
                if row is not None:
                    changed = {k: v for k, v in write.columns.items() if v != row[k]}
                    _update(cursor, name, changed)
                elif not _inserted(cursor, write.columns):
                    continue  # another process was faster to insert it
                audit.note(cursor, name, write.events, write.sighting, self.now())
                return answer

    def _lock(self, cursor: Cursor, name: str) -> tuple[str, bool]:
        """Lock a connection's row; return the key to seal it with, and whether there is one.

        The lock comes first: a change of the store's key keeps all writers of connections out, so
        whoever has passed here sees the key that stays until the end of the transaction.
        """
        cursor.execute("UPDATE connections SET name = name WHERE name = ?", (name,))
        locked = cursor.rowcount == 1
        return self._keys.sealing_key(cursor), locked

    def _sealing_key(self) -> str:
        with self._database.reading() as cursor:
            return self._keys.sealing_key(cursor)

    def renew(self, name: str, holder: str, ttl: float) -> bool:
        with self._database.writing() as cursor:
            cursor.execute(
                "UPDATE connections SET held_until = ? WHERE name = ? AND held_by = ?",
                (self.now() + ttl, name, holder),
            )
            return cursor.rowcount == 1

    def release(self, name: str, holder: str) -> None:
        with self._database.writing() as cursor:
            cursor.execute(
                "UPDATE connections SET held_by = NULL, held_until = NULL"
                " WHERE name = ? AND held_by = ?",
                (name, holder),
            )

    def forget(self, name: str, holder: str | None = None) -> bool:
        with self._database.writing() as cursor:
            # The connection first, as in every other transaction.
            if holder is None:
                cursor.execute("DELETE FROM connections WHERE name = ?", (name,))
            else:
                cursor.execute(
                    "DELETE FROM connections WHERE name = ? AND held_by = ?", (name, holder)
                )
            found = cursor.rowcount == 1
            if found or holder is None:
                cursor.execute("DELETE FROM advertisers WHERE connection = ?", (name,))
        return found

    def advertisers(self, name: str) -> Iterator[AdvertiserAccess]:
        return audit.advertisers(self._database, name)

    def events(
        self,
        *,
        after: int | None = None,
        since: float | None = None,
        connection: str | None = None,
    ) -> Iterator[StoredEvent]:
        return audit.events(self._database, after, since, connection)

    # Logins, sealed and bound to their state

    def begin_login(self, state: str, login: PendingLogin) -> None:
        state_hash = self.digest(state)
        with self._database.writing() as cursor:
            key, _ = self._lock(cursor, login.connection)
            payload = self.cipher.seal({"state": state_hash, **vars(login)}, key=key)
            cursor.execute(
                "INSERT INTO pending_logins (state_hash, begun_at, payload) VALUES (?, ?, ?)",
                (state_hash, login.begun_at, payload),
            )

    def take_login(
        self, state: str, max_age: float, check: Callable[[PendingLogin], None] | None = None
    ) -> PendingLogin | None:
        key = (self.digest(state),)
        with self._database.writing() as cursor:
            oldest = self.now() - max_age
            cursor.execute("DELETE FROM pending_logins WHERE begun_at < ?", (oldest,))
            cursor.execute("SELECT payload FROM pending_logins WHERE state_hash = ?", key)
            row = cursor.fetchone()
            cursor.execute("DELETE FROM pending_logins WHERE state_hash = ?", key)
            if row is None or cursor.rowcount != 1:  # or another process was faster
                return None
            payload = self._keys.opening(lambda cipher: cipher.open(row[0], state=key[0]))
            names = PendingLogin.__dataclass_fields__.keys() & payload.keys()
            login = PendingLogin(**{name: payload[name] for name in names})
            if check is not None:
                check(login)
            return login

    # Care

    def check_writable(self) -> None:
        with self._database.writing() as cursor:
            cursor.execute("UPDATE meta SET value = value WHERE name = 'schema_version'")

    def exposures(self) -> Iterator[tuple[str, str]]:
        return self._database.exposures()

    def rotate_key(self, cipher: Cipher, damaged: Damaged | None = None) -> int:
        with self._keys.restored_on_error(), self._database.writing(exclusive=True) as cursor:
            if not cipher.has(self._keys.sealing_key(cursor)):
                raise StoreKeyError("the token store's key is not among these", next_step=WRONG_KEY)
            count = 0
            for row in _all(cursor):
                name = row["name"]
                try:
                    again = cipher.seal(cipher.open(row["payload"]))
                except (StoreDamaged, StoreKeyError) as error:
                    if damaged is None:
                        raise
                    shown = rows.name_shown(name), rows.label(row["api"])
                    damaged(*shown, rows.as_damage(error, name))
                else:
                    _update(cursor, name, {"payload": again})
                    count += 1
            cursor.execute("SELECT state_hash, payload FROM pending_logins")
            for state_hash, sealed in cursor.fetchall():
                with suppress(StoreError):  # one that is damaged stays as it is
                    cursor.execute(
                        "UPDATE pending_logins SET payload = ? WHERE state_hash = ?",
                        (cipher.seal(cipher.open(sealed)), state_hash),
                    )
            self._keys.cipher = cipher
            self._keys.put_hash_key(cursor, self._keys.hash_key)
        return count

    def snapshot(self, damaged: Damaged | None = None) -> Snapshot:
        with self._database.writing(exclusive=True) as cursor:
            key = self._keys.sealing_key(cursor)
            records = self._readable(_all(cursor), damaged, key)
            return Snapshot(
                hash_key=self._keys.hash_key,
                records=tuple(records),
                advertisers={one.name: audit.all_advertisers(cursor, one.name) for one in records},
                events=audit.all_events(cursor),
            )

    def restore(self, snapshot: Snapshot) -> None:
        with self._keys.restored_on_error(), self._database.writing(exclusive=True) as cursor:
            cursor.execute("SELECT name FROM connections UNION SELECT connection FROM events")
            if cursor.fetchone() is not None:
                raise StoreError(
                    f"the token store {self.location} is not empty",
                    next_step="Copy into a new, empty store.",
                )
            self._keys.sealing_key(cursor)  # a key that was changed meanwhile is loaded
            self._keys.put_hash_key(cursor, snapshot.hash_key)
            for record in snapshot.records:
                _inserted(cursor, self._sealed(record, self.cipher.primary))
                audit.put_advertisers(cursor, record.name, snapshot.advertisers[record.name])
            audit.put_events(cursor, snapshot.events)

    def close(self) -> None:
        self._database.close()


def _found(cursor: Cursor, name: str) -> Row | None:
    cursor.execute(f"{_SELECT} WHERE name = ?", (name,))
    found = cursor.fetchone()
    return None if found is None else dict(zip(_ROW, found, strict=True))


def _all(cursor: Cursor) -> list[Row]:
    cursor.execute(f"{_SELECT} ORDER BY name")
    return [dict(zip(_ROW, row, strict=True)) for row in cursor.fetchall()]


def _inserted(cursor: Cursor, columns: dict[str, Any]) -> bool:
    """Insert a connection, given by trusted names of columns; False if it is there already."""
    places = ", ".join("?" * len(columns))
    cursor.execute(
        f"INSERT INTO connections ({', '.join(columns)}) VALUES ({places})"
        " ON CONFLICT (name) DO NOTHING",
        tuple(columns.values()),
    )
    return cursor.rowcount == 1


def _update(cursor: Cursor, name: str, columns: dict[str, Any]) -> None:
    """Change columns, given by trusted names, of a connection."""
    if columns:
        assignments = ", ".join(f"{column} = ?" for column in columns)
        cursor.execute(
            f"UPDATE connections SET {assignments} WHERE name = ?",
            (*columns.values(), name),
        )
