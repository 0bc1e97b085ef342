"""The keys of an open store: the one that seals, and the one of the keyed hashes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tap_tiktok_auth.errors import StoreDamaged, StoreError, StoreKeyError
from tap_tiktok_auth.store import schema
from tap_tiktok_auth.store.crypto import WRONG_KEY, keyed_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.store.crypto import Cipher
    from tap_tiktok_auth.store.database import Cursor, Database

T = TypeVar("T")


@dataclass(frozen=True)
class _HashKey:
    """The key of the keyed hashes, and how the store has it."""

    value: bytes = field(repr=False)
    sealed: str


class Keyring:
    """The keys of an open store.

    Args:
        database: The store's database, migrated already; a new store gets its hash key here.
        load_cipher: Returns the cipher; gets whether the store is new. Called again when the
            store was sealed with a key that is not known yet.

    Raises:
        StoreKeyError: The key does not fit the store.
    """

    def __init__(self, database: Database, load_cipher: Callable[[bool], Cipher]) -> None:
        self._load_cipher = load_cipher
        with database.reading() as cursor:
            sealed = schema.get_values(cursor, "hash_key").get("hash_key")
        self.cipher = load_cipher(sealed is None)
        if sealed is None:
            with database.writing(exclusive=True) as cursor:
                sealed = self._found(cursor)
        self._hash_key = self._opened(sealed)

    @property
    def hash_key(self) -> bytes:
        """The key of the keyed hashes."""
        return self._hash_key.value

    def digest(self, material: str) -> str:
        """Return the keyed hash of *material*."""
        return keyed_hash(self._hash_key.value, material)

    def opening(self, read: Callable[[Cipher], T]) -> T:
        """Open something sealed; the key may have been changed since this process read it.

        Raises:
            StoreKeyError: The key does not fit.
        """
        try:
            return read(self.cipher)
        except StoreKeyError:
            self.cipher = self._load_cipher(False)  # noqa: FBT003  (not a new store)
            return read(self.cipher)

    def sealing_key(self, cursor: Cursor) -> str:
        """Return the id of the key that the store is sealed with in this transaction.

        Raises:
            StoreKeyError: The store was sealed with a key that this process does not have.
            StoreError: Another store was copied into this one since it was opened, so hashes
                made by this process mean nothing in it.
        """
        stored = schema.get_values(cursor, "key_id", "hash_key")
        key = stored.get("key_id", self.cipher.primary)
        if not self.cipher.has(key):
            self.cipher = self._load_cipher(False)  # noqa: FBT003
        if not self.cipher.has(key):
            raise StoreKeyError("the token store's key was changed", next_step=WRONG_KEY)
        sealed = stored.get("hash_key", self._hash_key.sealed)
        if sealed != self._hash_key.sealed:
            found = self._opened(sealed)
            if found.value != self._hash_key.value:
                raise StoreError(
                    "another store was copied into the token store meanwhile",
                    next_step="Run again.",
                )
            self._hash_key = found
        return key

    def put_hash_key(self, cursor: Cursor, hash_key: bytes) -> None:
        """Seal the key of the keyed hashes with the cipher's first key, and name that key."""
        sealed = self.cipher.seal({"meta": "hash_key", "value": hash_key.hex()})
        schema.put_value(cursor, "hash_key", sealed)
        schema.put_value(cursor, "key_id", self.cipher.primary)
        self._hash_key = _HashKey(hash_key, sealed)

    @contextmanager
    def restored_on_error(self) -> Iterator[None]:
        """Go back to the keys from before the block if its transaction does not come to pass."""
        cipher, hash_key = self.cipher, self._hash_key
        try:
            yield
        except BaseException:
            self.cipher, self._hash_key = cipher, hash_key
            raise

    def _found(self, cursor: Cursor) -> str:
        """Give a new store its hash key, unless another process was faster."""
        sealed = schema.get_values(cursor, "hash_key").get("hash_key")
        if sealed is None:
            self.put_hash_key(cursor, os.urandom(32))
            sealed = self._hash_key.sealed
        return sealed

    def _opened(self, sealed: str) -> _HashKey:
        try:
            opened = self.opening(lambda cipher: cipher.open(sealed, meta="hash_key"))
            return _HashKey(bytes.fromhex(opened["value"]), sealed)
        except (StoreDamaged, KeyError, ValueError):
            raise StoreDamaged(
                "the token store's own key is damaged",
                next_step="Restore the store from a backup, or move it away and authorise again.",
            ) from None
