"""Keys of a store: what they seal, where they are kept, and how they are changed."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from cryptography.fernet import Fernet, InvalidToken

from tap_tiktok_auth.errors import ConfigurationError, StoreDamaged, StoreError, StoreKeyError
from tap_tiktok_auth.store import files, schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_tiktok_auth.store.database import Cursor, Database

T = TypeVar("T")

DAMAGED = "what the token store has of it is damaged"
RESTORE = (
    "Restore the store from a backup, or run: tiktok-auth forget {connection}, then: tiktok-auth "
    "login {connection}"
)
WRONG_KEY = "Set token_store_key to the key the store was made with, or restore its key file."
#: Characters of a sealed text at most.
_LARGEST_TEXT = 10_000_000
#: Bytes of a key file at most: thousands of keys.
_LARGEST_FILE = 1_000_000
_KEY_ID = re.compile(r"[0-9a-f]{16}")


def new_key() -> str:
    """Return a new random Fernet key."""
    return Fernet.generate_key().decode()


class Cipher:
    """Seals and opens texts with Fernet, with several keys while one replaces another.

    Args:
        keys: Fernet keys. The first is the one to seal with, all open.

    Raises:
        ConfigurationError: A key is malformed.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._by_id: dict[str, Fernet] = {}
        for key in keys:
            try:
                fernet = Fernet(key.encode())
            except ValueError:
                raise ConfigurationError(
                    "setting token_store_key is not a Fernet key",
                    next_step="Make one: tiktok-auth keygen",
                ) from None
            # The id is a hash that tells nothing about the key.
            digest = hashlib.sha256(b"tap-tiktok-auth key id\0" + key.encode()).hexdigest()
            self._by_id[digest[:16]] = fernet
        if not self._by_id:
            raise ConfigurationError("setting token_store_key is empty")
        self.primary = next(iter(self._by_id))

    @classmethod
    def from_text(cls, text: str) -> Cipher:
        """Return the cipher of comma separated keys, as the setting has them."""
        return cls(tuple(key.strip() for key in text.split(",") if key.strip()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(keys={len(self._by_id)})"

    def has(self, identifier: str) -> bool:
        """Whether it has the key with that id."""
        return identifier in self._by_id

    def seal(self, payload: dict[str, Any], *, key: str | None = None) -> str:
        """Return *payload* encrypted, with the key of id *key* or else the first.

        The text begins with the key's id, so that a key that is missing and a text that is
        damaged can be told apart.
        """
        key = key or self.primary
        text = json.dumps(payload, separators=(",", ":"))
        return f"{key}:{self._by_id[key].encrypt(text.encode()).decode()}"

    def open(self, sealed: str, **bound: object) -> dict[str, Any]:
        """Return the payload of a sealed text, if it belongs where it was found.

        Args:
            sealed: The sealed text.
            bound: Fields that the payload must have with just these values.

        Raises:
            StoreKeyError: The key that opens it is not there.
            StoreDamaged: It belongs elsewhere, or is not a sealed text.
        """
        too_long = not isinstance(sealed, str) or len(sealed) > _LARGEST_TEXT
        identifier, _, token = ("", "", "") if too_long else sealed.partition(":")
        if not _KEY_ID.fullmatch(identifier):
            raise StoreDamaged(DAMAGED, next_step=RESTORE)
        if identifier not in self._by_id:
            raise StoreKeyError("the token store's key does not fit", next_step=WRONG_KEY)
        try:
            payload = json.loads(self._by_id[identifier].decrypt(token.encode()))
        except (InvalidToken, ValueError):
            raise StoreDamaged(DAMAGED, next_step=RESTORE) from None
        if any(payload.get(name) != value for name, value in bound.items()):
            raise StoreDamaged(
                "what the token store has of it belongs elsewhere", next_step=RESTORE
            )
        return dict(payload)


class Keyring:
    """The keys of an open store: the one that seals, and the one of the keyed hashes.

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
                sealed = schema.get_values(cursor, "hash_key").get("hash_key")
                if sealed is None:  # no other process was faster
                    sealed = self.put_hash_key(cursor, os.urandom(32))
        self._sealed, self.hash_key = sealed, self._opened(sealed)

    def digest(self, material: str) -> str:
        """Return HMAC-SHA-256 of *material* as 64 hex digits."""
        text = material.encode("utf-8", "surrogatepass")
        return hmac.new(self.hash_key, text, hashlib.sha256).hexdigest()

    def opening(self, read: Callable[[Cipher], T]) -> T:
        """Open something sealed; the key may have been changed since this process read it."""
        try:
            return read(self.cipher)
        except StoreKeyError:
            self._load_again()
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
            self._load_again()
        if not self.cipher.has(key):
            raise StoreKeyError("the token store's key was changed", next_step=WRONG_KEY)
        sealed = stored.get("hash_key", self._sealed)
        if sealed != self._sealed:
            if self._opened(sealed) != self.hash_key:
                raise StoreError(
                    "another store was copied into the token store meanwhile",
                    next_step="Run again.",
                )
            self._sealed = sealed
        return key

    def put_hash_key(self, cursor: Cursor, hash_key: bytes) -> str:
        """Seal the key of the keyed hashes with the cipher's first key, and name that key."""
        self._sealed = self.cipher.seal({"meta": "hash_key", "value": hash_key.hex()})
        self.hash_key = hash_key
        schema.put_value(cursor, "hash_key", self._sealed)
        schema.put_value(cursor, "key_id", self.cipher.primary)
        return self._sealed

    @contextmanager
    def restored_on_error(self) -> Iterator[None]:
        """Go back to the keys from before the block if its transaction does not come to pass."""
        before = self.cipher, self.hash_key, self._sealed
        try:
            yield
        except BaseException:
            self.cipher, self.hash_key, self._sealed = before
            raise

    def _load_again(self) -> None:
        self.cipher = self._load_cipher(False)  # noqa: FBT003  (not a new store)

    def _opened(self, sealed: str) -> bytes:
        try:
            opened = self.opening(lambda cipher: cipher.open(sealed, meta="hash_key"))
            return bytes.fromhex(opened["value"])
        except (StoreDamaged, KeyError, ValueError):
            raise StoreDamaged(
                "the token store's own key is damaged",
                next_step="Restore the store from a backup, or move it away and authorise again.",
            ) from None


# The key file, where the key of a SQLite store is kept when no setting gives it


def default_key_file() -> Path:
    """Return the place of the key file in the user's config folder."""
    return files.user_file("config", "store.key", "token_store_key")


def load(key_file: Path, *, create: bool) -> Cipher:
    """Return the cipher of a key file; *create* one only for a store that is new.

    Raises:
        StoreKeyError: There is no key file, or it holds no key.
        StoreUnavailable: Others may read it.
    """
    if create and not files.exists(key_file):
        files.create_once(key_file, new_key().encode() + b"\n")
    files.refuse_if_shared(key_file, "the key file")
    return Cipher.from_text(_text(key_file))


def rotate(rotate_key: Callable[[Cipher], int], key_file: Path) -> int:
    """Put a new key in front of a key file, and seal a store with it by its *rotate_key*.

    The former keys stay in the file: other stores may be sealed with them, this one too until its
    rotation is through, and so may recovery files. If the store refuses, it keeps its former key.

    Returns:
        How many connections were sealed again.
    """
    key_file = key_file.resolve()  # what a link leads to, lest it keep the former key alone
    with files.locked(key_file.parent):
        text = f"{new_key()},{_text(key_file)}"
        files.replace(key_file, text.encode() + b"\n")
        return rotate_key(Cipher.from_text(text))


def _text(key_file: Path) -> str:
    step = "Restore it, or set token_store_key"
    try:
        if key_file.stat().st_size > _LARGEST_FILE:
            problem = "is too large to hold keys"
        elif text := key_file.read_text().strip():
            return text
        else:
            problem = "is empty"
    except FileNotFoundError:
        problem, step = (
            "of the token store is missing",
            f"{step}; without the key the tokens are lost",
        )
    except (OSError, UnicodeDecodeError):
        problem = "cannot be read"
    raise StoreKeyError(f"the key file {key_file} {problem}", next_step=f"{step}.")
