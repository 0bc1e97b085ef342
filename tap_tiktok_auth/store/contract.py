"""What a token store does, whatever database is below it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_tiktok_auth.credentials.models import (
        AdvertiserAccess,
        AdvertiserSource,
        Event,
        PendingLogin,
        StoredConnection,
        StoredEvent,
    )
    from tap_tiktok_auth.errors import StoreDamaged
    from tap_tiktok_auth.store.keys import Cipher


@dataclass(frozen=True)
class Claim:
    """The answer to the wish for a connection's lease.

    Attributes:
        outcome: `held`: the lease is ours and the prepared record is stored. `declined`: there
            was nothing to do. `busy`: someone else holds it.
        record: The record as it is stored now; None if there is none.
        holder: With `busy`, who holds the lease.
    """

    outcome: Literal["held", "declined", "busy"]
    record: StoredConnection | None
    holder: str | None = None


@dataclass(frozen=True)
class AdvertiserListing:
    """Ad accounts that were seen granted at one moment.

    Attributes:
        advertisers: Pairs of id and name; a None name keeps the one that is known.
        source: Who told.
        complete: Whether accounts that are not among them are lost.
    """

    advertisers: tuple[tuple[str, str | None], ...]
    source: AdvertiserSource
    complete: bool


class Store(ABC):
    """Keeps connections, their tokens, ad accounts and events, for many processes at once.

    Every method is one transaction: it is committed, durably, when it returns. Times are seconds
    since the epoch by the store's own clock, which all its users share.

    Raises:
        StoreError: From every method, when the store cannot do its work.
    """

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the store is, without any secret."""

    @abstractmethod
    def now(self) -> float:
        """Return the time by the store's clock."""

    @abstractmethod
    def digest(self, material: str) -> str:
        """Return the keyed hash of *material*: 64 hex digits, the same for all users."""

    def fingerprint(self, secret: str | None) -> str | None:
        """Return the only form in which a secret may be shown: 16 hex digits of its hash."""
        return self.digest(secret)[:16] if secret else None

    # Connections and their tokens

    @abstractmethod
    def read(self, name: str) -> StoredConnection | None:
        """Return the connection *name*, or None."""

    @abstractmethod
    def records(
        self, damaged: Callable[[str, str, StoreDamaged], None] | None = None
    ) -> list[StoredConnection]:
        """Return all connections, sorted by name.

        Args:
            damaged: Told the name, the token system and the error of each connection whose row
                cannot be trusted, which is then left out. Without it the first one is raised.

        Raises:
            StoreDamaged: A row cannot be trusted, and nobody wants to be told.
        """

    @abstractmethod
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
            prepare: Gets the record as stored now and returns the one to store together with the
                lease, or None to decline. Must not do any I/O.
            dead: A holder that is known to be gone; its lease counts as free.
        """

    @abstractmethod
    def renew(self, name: str, holder: str, ttl: float) -> bool:
        """Extend a held lease by *ttl* from now; False if it is no longer ours."""

    @abstractmethod
    def release(self, name: str, holder: str) -> None:
        """Give a lease back without changing anything else."""

    @abstractmethod
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
        """Store a record whole and give the lease back.

        It is stored if what the writer had read is stored still: the generation of *before* and,
        unless the record carries new tokens, the very mark of the token request in it. So a new
        token is stored even if its lease was lost meanwhile, and nothing else is.

        Args:
            record: The record; one of a higher generation than *before* carries new tokens.
            holder: Whose lease ends with it.
            before: What the record is made from; without it the generation before its own.
            events: What to note in the audit trail.
            sighting: Ad accounts seen.
            patience: Seconds to wait for the database at most, also if the process is told to
                stop meanwhile. Everything else ends soon then.

        Returns:
            Whether it was stored; False means that someone else was faster.
        """

    @abstractmethod
    def amend(
        self,
        record: StoredConnection,
        columns: tuple[str, ...],
        *,
        events: Iterable[Event] = (),
        sighting: AdvertiserListing | None = None,
    ) -> bool:
        """Store only some columns of a record, without any lease, if its generation is current.

        Args:
            record: The record with its new values.
            columns: Names of the record's attributes to store; never the secrets.
            events: What to note in the audit trail if the record is current.
            sighting: Ad accounts seen; grants and losses are noted in the audit trail.

        Returns:
            Whether the generation was current.
        """

    @abstractmethod
    def forget(self, name: str, holder: str | None = None) -> bool:
        """Delete a connection and its ad accounts; events stay.

        Args:
            name: The connection.
            holder: Delete it only while this one holds its lease.

        Returns:
            Whether it was deleted.
        """

    # What is seen beside tokens

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

    # Logins that are under way

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

    @property
    @abstractmethod
    def cipher(self) -> Cipher:
        """The cipher that seals what is secret in this store."""

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
    def rotate_key(
        self, cipher: Cipher, damaged: Callable[[str, str, StoreDamaged], None] | None = None
    ) -> int:
        """Seal everything with the first key of *cipher*, in one transaction.

        Args:
            cipher: The keys, the store's own among them.
            damaged: Told of each connection that cannot be opened, which stays as it is, as in
                `records`.

        Returns:
            How many connections were sealed again.
        """

    @abstractmethod
    def snapshot(self, damaged: Callable[[str, str, StoreDamaged], None] | None = None) -> Snapshot:
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


@dataclass(frozen=True)
class Snapshot:
    """All content of a store.

    Attributes:
        hash_key: The key of the keyed hashes, so that seeds and fingerprints stay comparable.
        records: The connections.
        advertisers: Their ad accounts, by connection.
        events: The audit trail.
    """

    hash_key: bytes
    records: tuple[StoredConnection, ...]
    advertisers: dict[str, tuple[AdvertiserAccess, ...]]
    events: tuple[StoredEvent, ...]
