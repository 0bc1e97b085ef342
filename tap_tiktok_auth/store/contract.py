"""What a token store does, and what one kind of store must do for that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from tap_tiktok_auth.errors import StoreDamaged, StoreKeyError
from tap_tiktok_auth.store import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from tap_tiktok_auth.credentials.models import (
        AdvertiserAccess,
        AdvertiserListing,
        Event,
        PendingLogin,
        StoredConnection,
        StoredEvent,
    )
    from tap_tiktok_auth.store.keys import Cipher, Keyring

    #: A connection's columns and its lease.
    Row: TypeAlias = dict[str, Any]
    #: Told the name, the token system and the error of a connection whose row cannot be trusted.
    Damaged: TypeAlias = Callable[[str, str, StoreDamaged], None]

T = TypeVar("T")


class Claim(NamedTuple):
    """The answer to a claim of a connection's lease.

    Attributes:
        outcome: `held`: the lease is ours and what was prepared is stored. `declined`: there
            was nothing to do. `busy`: someone else holds it.
        stored: The connection as it is stored now; None if there is none.
        holder: With `busy`, who holds the lease.
    """

    outcome: Literal["held", "declined", "busy"]
    stored: StoredConnection | None
    holder: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """All content of a store.

    Attributes:
        hash_key: The key of the keyed hashes, so that seeds and fingerprints stay comparable.
        records: The connections.
        advertisers: Their ad accounts, by connection.
        events: The audit trail.
    """

    hash_key: bytes = field(repr=False)
    records: tuple[StoredConnection, ...]
    advertisers: dict[str, tuple[AdvertiserAccess, ...]]
    events: tuple[StoredEvent, ...]


class Write(NamedTuple):
    """What a transaction on one connection stores.

    Attributes:
        columns: Columns to change; all of them if the connection is new.
        events: What to note in the audit trail.
        sighting: Ad accounts seen; grants and losses are noted in the audit trail.
    """

    columns: Row
    events: Iterable[Event] = ()
    sighting: AdvertiserListing | None = None


class Store(ABC):
    """Keeps connections, their tokens, ad accounts and events, for many processes at once.

    Every method is one transaction: it is committed, durably, when it returns. Times are seconds
    since the epoch by the store's own clock, which all its users share. A kind of store has the
    abstract methods; what they mean to tokens is decided here, the same for all kinds.

    Args:
        keys: The store's keys.

    Raises:
        StoreError: From every method, when the store cannot do its work.
    """

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        # A row that has not changed since stands for the same connection.
        self._last: tuple[Row, StoredConnection] | None = None

    @property
    def cipher(self) -> Cipher:
        """The cipher that seals what is secret in this store."""
        return self._keys.cipher

    def digest(self, material: str) -> str:
        """Return the keyed hash of *material*: 64 hex digits, the same for all users."""
        return self._keys.digest(material)

    def fingerprint(self, secret: str | None) -> str | None:
        """Return the only form in which a secret may be shown: 16 hex digits of its hash."""
        return self.digest(secret)[:16] if secret else None

    # Connections and their tokens

    def read(self, name: str) -> StoredConnection | None:
        """Return the connection *name*, or None."""
        row = self._row(name)
        if row is None:
            return None
        last = self._last
        if last is None or last[0] != row:
            self._last = last = row, self._opened(row)
        return last[1]

    def records(self, damaged: Damaged | None = None) -> list[StoredConnection]:
        """Return all connections, sorted by name.

        Args:
            damaged: Told of each connection whose row cannot be trusted, which is then left out.

        Raises:
            StoreDamaged: A row cannot be trusted, and nobody wants to be told.
        """
        return self._readable(self._rows(), damaged)

    def claim(
        self,
        name: str,
        holder: str,
        ttl: float,
        prepare: Callable[[StoredConnection | None], StoredConnection | None],
        *,
        dead: str | None = None,
    ) -> Claim:
        """Take the lease of a connection if it is free, and decide under it in one transaction.

        Args:
            name: The connection.
            holder: Who asks, unique for each claim.
            ttl: Seconds after which the lease ends unless renewed.
            prepare: Gets what is stored now and returns what to store together with the lease, or
                None to decline. Must not do any I/O; it may be called again.
            dead: A holder that is known to be gone; its lease counts as free.
        """

        def decide(row: Row | None, key: str) -> tuple[Claim, Write | None]:
            stored = None if row is None else self._opened(row, key)
            current = self._holder(row, ttl)
            if current not in {None, dead}:
                return Claim("busy", stored, current), None
            prepared = prepare(stored)
            if prepared is None:
                return Claim("declined", stored), None
            lease = {"held_by": holder, "held_until": self.now() + ttl}
            return Claim("held", prepared), Write(self._sealed(prepared, key) | lease)

        row = self._row(name)  # so that those who wait write nothing
        current = self._holder(row, ttl)
        if row is not None and current not in {None, dead}:
            return Claim("busy", self._opened(row), current)
        return self._change(name, decide)

    def commit(
        self,
        stored: StoredConnection,
        holder: str | None,
        *,
        before: StoredConnection | None = None,
        events: Iterable[Event] = (),
        sighting: AdvertiserListing | None = None,
        patience: float | None = None,
    ) -> bool:
        """Store a connection whole and give the lease back, if what was read is stored still.

        That is the generation of *before* and, unless the stored carries new tokens, the very mark
        of the token request in it. So new tokens are stored even if their lease was lost
        meanwhile, and nothing else is.

        Args:
            stored: What to store; one of a higher generation than *before* carries new tokens.
            holder: Whose lease ends with it.
            before: What the stored is made from; without it the generation before its own.
            events: What to note in the audit trail.
            sighting: Ad accounts seen.
            patience: Seconds to wait for the database at most, also if the process is told to
                stop meanwhile. Everything else ends soon then.

        Returns:
            Whether it was stored; False means that someone else was faster.
        """

        def decide(row: Row | None, key: str) -> tuple[bool, Write | None]:
            columns = self._sealed(stored, key)
            release: Row = {}
            if row is not None and holder is not None and row["held_by"] == holder:
                release = {"held_by": None, "held_until": None}
            if _is_current(row, before, stored):
                return True, Write(columns | release, events, sighting)
            # A commit that was carried out, but whose confirmation was lost, is repeated.
            # Sealed texts differ each time.
            if row is not None and columns | {"payload": row["payload"]} == {
                name: row[name] for name in columns
            }:
                return True, Write(release)
            return False, None

        return self._change(stored.name, decide, patience=patience)

    def amend(
        self,
        stored: StoredConnection,
        columns: tuple[str, ...],
        *,
        events: Iterable[Event] = (),
        sighting: AdvertiserListing | None = None,
    ) -> bool:
        """Store only some attributes of a connection, without any lease.

        Args:
            stored: The connection with its new values.
            columns: Names of the attributes to store; never the secrets.
            events: What to note in the audit trail.
            sighting: Ad accounts seen.

        Returns:
            Whether its generation was current; if not, nothing is stored.
        """

        def decide(row: Row | None, key: str) -> tuple[bool, Write | None]:
            if row is None or row["generation"] != stored.generation:
                return False, None
            try:
                changed = self._keys.opening(
                    lambda cipher: rows.amended(row, stored, columns, cipher, key)
                )
            except StoreKeyError as error:
                raise rows.as_damage(error, stored.name) from None
            return True, Write(changed, events, sighting)

        return self._change(stored.name, decide)

    def _sealed(self, stored: StoredConnection, key: str) -> Row:
        return rows.to_columns(stored, self.cipher, key, self.fingerprint)

    def _opened(self, row: Row, key: str | None = None) -> StoredConnection:
        """Return the connection of a row; *key* is the store's key if that is known to be there.

        Raises:
            StoreDamaged: The row cannot be trusted, or is sealed with a key that is not there.
            StoreKeyError: It is the store's own key that is not there.
        """
        try:
            return self._keys.opening(lambda cipher: rows.to_stored(row, cipher))
        except StoreKeyError as error:
            if key is None:
                self._sealing_key()
            raise rows.as_damage(error, row["name"]) from None

    def _readable(
        self, found: Iterable[Row], damaged: Damaged | None, key: str | None = None
    ) -> list[StoredConnection]:
        records = []
        for row in found:
            try:
                records.append(self._opened(row, key))
            except StoreDamaged as error:
                if damaged is None:
                    raise
                damaged(rows.name_shown(row["name"]), rows.label(row["api"]), error)
        return records

    def _holder(self, row: Row | None, ttl: float) -> str | None:
        """Return who holds a connection's lease at this moment.

        One that would last more than two terms was not taken in this way, so nobody holds it. A
        holder's term is in its name.
        """
        if row is None:
            return None
        holder, until, now = row["held_by"], row["held_until"], self.now()
        if not isinstance(holder, str) or not isinstance(until, int | float):
            return None
        seconds = holder.rpartition("/")[2]
        term = float(seconds) if seconds.isascii() and seconds.isdecimal() else ttl
        return holder if now < until <= now + 2 * term else None

    # What a kind of store must do, each one request

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the store is, without any secret."""

    @abstractmethod
    def now(self) -> float:
        """Return the time by the store's clock."""

    @abstractmethod
    def _row(self, name: str) -> Row | None:
        """Return the row of a connection with its lease, or None."""

    @abstractmethod
    def _rows(self) -> list[Row]:
        """Return the rows of all connections, sorted by name."""

    @abstractmethod
    def _change(
        self,
        name: str,
        decide: Callable[[Row | None, str], tuple[T, Write | None]],
        *,
        patience: float | None = None,
    ) -> T:
        """Change a connection in one transaction, in which nobody else changes it.

        Args:
            name: The connection.
            decide: Gets its row as stored now and the id of the key to seal with; returns the
                answer and what to store, None for nothing. It is called again if someone else was
                faster after all.
            patience: As in `commit`.
        """

    @abstractmethod
    def _sealing_key(self) -> str:
        """Return the id of the key that the store is sealed with now.

        Raises:
            StoreKeyError: It is not there.
        """

    @abstractmethod
    def renew(self, name: str, holder: str, ttl: float) -> bool:
        """Extend a held lease by *ttl* from now; False if it is no longer ours."""

    @abstractmethod
    def release(self, name: str, holder: str) -> None:
        """Give a lease back without changing anything else."""

    @abstractmethod
    def forget(self, name: str, holder: str | None = None) -> bool:
        """Delete a connection and its ad accounts; events stay.

        Args:
            name: The connection.
            holder: Delete it only while this one holds its lease.

        Returns:
            Whether it was deleted.
        """

    @abstractmethod
    def advertisers(self, name: str) -> Iterator[AdvertiserAccess]:
        """Return the ad accounts that a connection has or had, sorted by id."""

    @abstractmethod
    def events(
        self,
        *,
        after: int | None = None,
        since: float | None = None,
        connection: str | None = None,
    ) -> Iterator[StoredEvent]:
        """Return events in the order of their commits.

        Args:
            after: Only events with a greater id.
            since: Only events that occurred at or after this time.
            connection: Only events of this connection.
        """

    @abstractmethod
    def begin_login(self, state: str, login: PendingLogin) -> None:
        """Keep a login until its callback comes."""

    @abstractmethod
    def take_login(
        self, state: str, max_age: float, check: Callable[[PendingLogin], None] | None = None
    ) -> PendingLogin | None:
        """Return the login of that *state* and delete it; None if unknown or older.

        Args:
            state: The state.
            max_age: Seconds.
            check: May raise, and the login stays.
        """

    # Care

    @abstractmethod
    def check_writable(self) -> None:
        """Prove that the store can be written to, changing nothing.

        Raises:
            StoreUnavailable: It cannot.
        """

    @abstractmethod
    def exposures(self) -> Iterator[tuple[str, str]]:
        """Yield what lets others at the store, each with what to do about it."""

    @abstractmethod
    def rotate_key(self, cipher: Cipher, damaged: Damaged | None = None) -> int:
        """Seal everything with the first key of *cipher*, in one transaction.

        Args:
            cipher: The keys, the store's own among them.
            damaged: Told of each connection that cannot be opened, which stays as it is.

        Returns:
            How many connections were sealed again.
        """

    @abstractmethod
    def snapshot(self, damaged: Damaged | None = None) -> Snapshot:
        """Return all content, for a copy into another store; *damaged* as in `records`."""

    @abstractmethod
    def restore(self, snapshot: Snapshot) -> None:
        """Take in the content of another store, in one transaction.

        Raises:
            StoreError: This store is not empty.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the store; it is not used any more."""


def _is_current(row: Row | None, before: StoredConnection | None, after: StoredConnection) -> bool:
    """Whether a row is still what *after* was made from; none is one without any tokens."""
    read = before.generation if before else after.generation - 1
    if (row["generation"] if row else 0) != read:
        return False
    if after.generation > read:
        return True
    mark = before.attempt if before else None
    columns = ("attempt_key", "attempt_at", "attempt_outcome")
    marked = tuple(row[name] if row else None for name in columns)
    return marked == ((mark.key, mark.at, mark.outcome) if mark else (None, None, None))
