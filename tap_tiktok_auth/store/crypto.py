"""Sealing what is secret in a store: Fernet, with several keys while one replaces another."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from tap_tiktok_auth.errors import ConfigurationError, StoreDamaged, StoreKeyError

DAMAGED = "what the token store has of it is damaged"
MEND = (
    "Restore the store from a backup, or run: tiktok-auth forget {connection}, then: tiktok-auth "
    "login {connection}"
)
WRONG_KEY = "Set token_store_key to the key the store was made with, or restore its key file."
#: Characters of a sealed text at most.
_LARGEST = 10_000_000
_KEY_ID = re.compile(r"[0-9a-f]{16}")


def new_key() -> str:
    """Return a new random Fernet key."""
    return Fernet.generate_key().decode()


class Cipher:
    """Seals and opens texts.

    Args:
        keys: Fernet keys. The first is the one to seal with, all open.

    Raises:
        ConfigurationError: A key is malformed.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        if not keys:
            raise ConfigurationError("setting token_store_key is empty")
        # Checked first: only a key made of the right characters has an id.
        fernets = [(key, _fernet(key)) for key in keys]
        self._by_id = {key_id(key): fernet for key, fernet in fernets}
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
        if not isinstance(sealed, str) or len(sealed) > _LARGEST:
            raise StoreDamaged(DAMAGED, next_step=MEND)
        identifier, _, token = sealed.partition(":")
        if not _KEY_ID.fullmatch(identifier):
            raise StoreDamaged(DAMAGED, next_step=MEND)
        if identifier not in self._by_id:
            raise StoreKeyError("the token store's key does not fit", next_step=WRONG_KEY)
        try:
            payload = json.loads(self._by_id[identifier].decrypt(token.encode()))
        except (InvalidToken, ValueError):
            raise StoreDamaged(DAMAGED, next_step=MEND) from None
        if any(payload.get(name) != value for name, value in bound.items()):
            raise StoreDamaged("what the token store has of it belongs elsewhere", next_step=MEND)
        return dict(payload)


def key_id(key: str) -> str:
    """Return the public name of a key: a hash that tells nothing about it."""
    return hashlib.sha256(b"tap-tiktok-auth key id\0" + key.encode()).hexdigest()[:16]


def keyed_hash(hash_key: bytes, material: str) -> str:
    """Return HMAC-SHA-256 of *material* as 64 hex digits."""
    return hmac.new(hash_key, material.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _fernet(key: str) -> Fernet:
    try:
        return Fernet(key.encode())
    except ValueError:
        raise ConfigurationError(
            "setting token_store_key is not a Fernet key", next_step="Make one: tiktok-auth keygen"
        ) from None
