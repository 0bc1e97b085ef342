"""Records as rows, and rows as records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.errors import StoreDamaged
from tap_tiktok_auth.records import (
    Attempt,
    Event,
    Failure,
    PendingLogin,
    Record,
    SeenAdvertiser,
    StoredEvent,
)
from tap_tiktok_auth.store.crypto import DAMAGED, MEND
from tap_tiktok_auth.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.store.crypto import Cipher

#: For each attribute of a record that may be stored alone, its columns.
AMENDABLE: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "token": ("access_token_expires_at",),
    "subject_id": ("subject_id",),
    "scopes": ("scopes",),
    "failure": ("last_error_message", "last_error_code", "last_error_at"),
    "request_id": ("request_id",),
    "verified_at": ("verified_at",),
    "seed_hash": ("seed_hash",),
}

COLUMNS = (
    "name",
    "api",
    "app_id",
    "generation",
    "payload",
    "status",
    "token_fingerprint",
    "long_term",
    "issued_at",
    "access_token_expires_at",
    "refresh_token_expires_at",
    "consent_deadline",
    "redirect_uri",
    "seed_hash",
    "spent_seeds",
    "obtained_by",
    "subject_id",
    "scopes",
    "last_refreshed_at",
    "refresh_count",
    "attempt_key",
    "attempt_at",
    "attempt_outcome",
    "last_error_message",
    "last_error_code",
    "last_error_at",
    "request_id",
    "verified_at",
)

EVENT_COLUMNS = (
    "event_id",
    "occurred_at",
    "host",
    "pid",
    "tap_version",
    "event",
    "connection",
    "fingerprint_before",
    "fingerprint_after",
    "advertiser_id",
    "error_code",
    "error_message",
    "request_id",
)

ADVERTISER_COLUMNS = (
    "advertiser_id",
    "name",
    "source",
    "first_seen_at",
    "last_seen_at",
    "lost_at",
)


def from_record(
    record: Record, cipher: Cipher, key: str, fingerprint: Callable[[str | None], str | None]
) -> dict[str, Any]:
    """Return a record as column values, its secrets sealed and bound to it."""
    clear = in_clear(record, fingerprint)
    return {name: clear.get(name, "") for name in COLUMNS} | {"payload": seal(record, cipher, key)}


def in_clear(record: Record, fingerprint: Callable[[str | None], str | None]) -> dict[str, Any]:
    """Return a record as column values, without its secrets."""
    token, attempt, failure = record.token, record.attempt, record.failure
    columns = {
        "name": record.name,
        "api": record.api,
        "app_id": record.app_id,
        "generation": record.generation,
        "status": record.status,
        "token_fingerprint": fingerprint(token.access_token) if token else None,
        "long_term": int(token.long_term) if token else None,
        "issued_at": token.issued_at if token else None,
        "access_token_expires_at": token.expires_at if token else None,
        "refresh_token_expires_at": token.refresh_expires_at if token else None,
        "consent_deadline": token.consent_deadline if token else None,
        "redirect_uri": record.redirect_uri,
        "seed_hash": record.seed_hash,
        "spent_seeds": json.dumps(record.spent_seeds),
        "obtained_by": record.obtained_by,
        "subject_id": record.subject_id,
        "scopes": None if record.scopes is None else json.dumps(record.scopes),
        "last_refreshed_at": record.last_refreshed_at,
        "refresh_count": record.refresh_count,
        "attempt_key": attempt.key if attempt else None,
        "attempt_at": attempt.at if attempt else None,
        "attempt_outcome": attempt.outcome if attempt else None,
        "last_error_message": failure.message if failure else None,
        "last_error_code": failure.code if failure else None,
        "last_error_at": failure.at if failure else None,
        "request_id": record.request_id,
        "verified_at": record.verified_at,
    }
    return {name: storable(value) for name, value in columns.items()}


def changes(
    before: Record,
    after: Record,
    cipher: Cipher,
    key: str,
    fingerprint: Callable[[str | None], str | None],
) -> dict[str, Any]:
    """Return the columns to change when one record takes the place of another of that name."""
    stored = in_clear(before, fingerprint)
    values = in_clear(after, fingerprint)
    changed = {name: value for name, value in values.items() if value != stored[name]}
    if _payload(before) != _payload(after):
        changed["payload"] = seal(after, cipher, key)
    return changed


def seal(record: Record, cipher: Cipher, key: str) -> str:
    """Return the secrets of a record, sealed and bound to its row."""
    return cipher.seal(_payload(record), key=key)


def _payload(record: Record) -> dict[str, Any]:
    token = record.token
    return {
        "access_token": token.access_token if token else None,
        "refresh_token": token.refresh_token if token else None,
        "app_secret": record.app_secret,
        "origin": record.origin,
        **_binding(record.name, record.api, record.app_id, record.generation),
    }


def to_record(row: tuple[Any, ...], cipher: Cipher) -> Record:
    """Return a row as a record, its secrets opened.

    Raises:
        StoreKeyError: The key does not fit.
        StoreDamaged: The row is not what this program wrote.
    """
    column = dict(zip(COLUMNS, row, strict=True))
    binding = _binding(column["name"], column["api"], column["app_id"], column["generation"])
    try:
        return _record(column, cipher.open(column["payload"], **binding))
    except StoreDamaged as error:
        raise error.of(column["name"]) from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise StoreDamaged(DAMAGED, next_step=MEND).of(column["name"]) from None


def _record(column: dict[str, Any], secrets: dict[str, Any]) -> Record:
    token = None
    if secrets["access_token"]:
        token = Token(
            access_token=secrets["access_token"],
            refresh_token=secrets["refresh_token"],
            issued_at=column["issued_at"],
            expires_at=column["access_token_expires_at"],
            refresh_expires_at=column["refresh_token_expires_at"],
            consent_deadline=column["consent_deadline"],
            long_term=bool(column["long_term"]),
        )
    attempt = None
    if column["attempt_key"] is not None:
        attempt = Attempt(column["attempt_key"], column["attempt_at"], column["attempt_outcome"])
    failure = None
    if column["last_error_message"] is not None:
        failure = Failure(
            column["last_error_message"], column["last_error_at"], column["last_error_code"]
        )
    scopes = column["scopes"]
    return Record(
        name=column["name"],
        api=column["api"],
        app_id=column["app_id"],
        generation=column["generation"],
        token=token,
        app_secret=secrets["app_secret"],
        redirect_uri=column["redirect_uri"],
        seed_hash=column["seed_hash"],
        spent_seeds=tuple(json.loads(column["spent_seeds"])),
        status=column["status"],
        obtained_by=column["obtained_by"],
        origin=secrets.get("origin"),
        subject_id=column["subject_id"],
        scopes=None if scopes is None else tuple(json.loads(scopes)),
        last_refreshed_at=column["last_refreshed_at"],
        refresh_count=column["refresh_count"],
        attempt=attempt,
        failure=failure,
        request_id=column["request_id"],
        verified_at=column["verified_at"],
    )


def _binding(name: str, api: str, app_id: str, generation: int) -> dict[str, Any]:
    return {
        "connection": storable(name),
        "api": storable(api),
        "app_id": storable(app_id),
        "generation": generation,
    }


def storable(value: Any) -> Any:  # noqa: ANN401  (a column's value)
    """Return a value that every database takes.

    JSON may carry a NUL or half of a surrogate pair, which no text column of PostgreSQL takes: a
    strange name of an ad account must not keep a token from being stored.
    """
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def to_event(row: tuple[Any, ...]) -> StoredEvent:
    """Return a row of events as an event."""
    event_id, occurred_at, host, pid, tap_version, name, *rest = row
    event = Event(name, *rest)
    return StoredEvent(event_id, occurred_at, event, host, pid, tap_version)


def from_event(stored: StoredEvent) -> tuple[Any, ...]:
    """Return an event as a row."""
    event_id, occurred_at, event, *origin = stored
    return tuple(map(storable, (event_id, occurred_at, *origin, *event)))


def to_advertiser(row: tuple[Any, ...]) -> SeenAdvertiser:
    """Return a row of advertisers as an ad account."""
    return SeenAdvertiser(*row)


def from_advertiser(seen: SeenAdvertiser) -> tuple[Any, ...]:
    """Return an ad account as a row."""
    return tuple(map(storable, seen))


def from_login(login: PendingLogin) -> dict[str, Any]:
    """Return a login as the payload to seal."""
    return {
        "connection": login.connection,
        "api": login.api,
        "app_id": login.app_id,
        "app_secret": login.app_secret,
        "redirect_uri": login.redirect_uri,
        "code_verifier": login.code_verifier,
        "begun_at": login.begun_at,
        "origin": login.origin,
    }


def to_login(payload: dict[str, Any]) -> PendingLogin:
    """Return an opened payload as a login."""
    names = PendingLogin.__dataclass_fields__.keys() & payload.keys()
    return PendingLogin(**{name: payload[name] for name in names})
