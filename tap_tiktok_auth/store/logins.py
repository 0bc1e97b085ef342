"""Logins that were begun and not yet finished."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import StoreError
from tap_tiktok_auth.store import rows

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.models import PendingLogin
    from tap_tiktok_auth.store.database import Cursor
    from tap_tiktok_auth.store.keys import Cipher, Keyring


def begin(cursor: Cursor, cipher: Cipher, key: str, state_hash: str, login: PendingLogin) -> None:
    """Keep a login, sealed with the key of id *key* and bound to its state."""
    sealed = cipher.seal({"state": state_hash, **rows.from_login(login)}, key=key)
    cursor.execute(
        "INSERT INTO pending_logins (state_hash, begun_at, payload) VALUES (?, ?, ?)",
        (state_hash, login.begun_at, sealed),
    )


def delete_before(cursor: Cursor, moment: float) -> None:
    """Delete the logins that were begun before a moment."""
    cursor.execute("DELETE FROM pending_logins WHERE begun_at < ?", (moment,))


def take(cursor: Cursor, keys: Keyring, state_hash: str) -> PendingLogin | None:
    """Return a login and delete it; None if there is none, or another process was faster.

    Raises:
        StoreKeyError: The key does not fit; the login is not lost if the transaction is rolled
            back.
    """
    cursor.execute("SELECT payload FROM pending_logins WHERE state_hash = ?", (state_hash,))
    row = cursor.fetchone()
    cursor.execute("DELETE FROM pending_logins WHERE state_hash = ?", (state_hash,))
    if row is None or cursor.rowcount != 1:
        return None
    return keys.opening(lambda cipher: rows.to_login(cipher.open(row[0], state=state_hash)))


def seal_again(cursor: Cursor, cipher: Cipher) -> None:
    """Seal all logins with the first key of *cipher*; one that is damaged stays as it is."""
    cursor.execute("SELECT state_hash, payload FROM pending_logins")
    for state_hash, sealed in cursor.fetchall():
        with suppress(StoreError):
            cursor.execute(
                "UPDATE pending_logins SET payload = ? WHERE state_hash = ?",
                (cipher.seal(cipher.open(sealed)), state_hash),
            )
