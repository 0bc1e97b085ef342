"""Records as rows, and rows as records."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.models import is_name
from tap_tiktok_auth.credentials.models import (
    AdvertiserAccess,
    AdvertiserSource,
    Event,
    LastError,
    PendingLogin,
    Status,
    StoredConnection,
    StoredEvent,
    TokenRequestMark,
)
from tap_tiktok_auth.credentials.tokens import ObtainedBy, Token
from tap_tiktok_auth.errors import StoreDamaged, StoreKeyError
from tap_tiktok_auth.store.crypto import DAMAGED, MEND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_tiktok_auth.store.crypto import Cipher

T = TypeVar("T")

#: For each attribute of a record that may be stored alone, the columns that show its change.
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

#: Columns by which it is decided what is sent; the seal covers them too.
_DECIDING = (
    "status",
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
    "attempt_key",
    "attempt_at",
    "attempt_outcome",
)
#: Seconds from the epoch within which a moment can be told: the years up to 3800.
_FARTHEST = 6e10
#: Characters of one column at most.
_LARGEST = 1_000_000
#: Event ids of more digits would hide all later events behind a bookmark.
_LAST_EVENT_ID = 10**16

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
    record: StoredConnection,
    cipher: Cipher,
    key: str,
    fingerprint: Callable[[str | None], str | None],
) -> dict[str, Any]:
    """Return a record as column values, its secrets sealed and bound to it."""
    clear = in_clear(record, fingerprint)
    sealed = cipher.seal(_payload(record, clear), key=key)
    return {name: clear.get(name, "") for name in COLUMNS} | {"payload": sealed}


def in_clear(
    record: StoredConnection, fingerprint: Callable[[str | None], str | None]
) -> dict[str, Any]:
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
    row: tuple[Any, ...],
    before: StoredConnection,
    after: StoredConnection,
    cipher: Cipher,
    key: str,
    fingerprint: Callable[[str | None], str | None],
) -> dict[str, Any]:
    """Return the columns to change when a record takes the place of another, whose row that is."""
    stored = dict(zip(COLUMNS, row, strict=True))
    values = in_clear(after, fingerprint)
    changed = {name: value for name, value in values.items() if value != stored[name]}
    if changed.keys() & {*_DECIDING} or _payload(before, values) != _payload(after, values):
        changed["payload"] = cipher.seal(_payload(after, values), key=key)
    return changed


def unsealed_changes(
    row: tuple[Any, ...],
    record: StoredConnection,
    attributes: Iterable[str],
    fingerprint: Callable[[str | None], str | None],
) -> dict[str, Any] | None:
    """Return the columns to change for some attributes of a record; None if one is sealed, too."""
    stored = dict(zip(COLUMNS, row, strict=True))
    values = in_clear(record, fingerprint)
    names = {name for attribute in attributes for name in AMENDABLE[attribute]}
    changed = {name: values[name] for name in names if values[name] != stored[name]}
    return None if changed.keys() & {*_DECIDING} else changed


def is_current(
    row: tuple[Any, ...] | None, before: StoredConnection | None, after: StoredConnection
) -> bool:
    """Whether a row is still what *after* was made from."""
    column = dict(zip(COLUMNS, row, strict=True)) if row else {}
    read = before.generation if before else after.generation - 1
    if column.get("generation", 0) != read:
        return False
    if after.generation > read:
        return True
    mark = before.attempt if before else None
    stored = tuple(column.get(name) for name in ("attempt_key", "attempt_at", "attempt_outcome"))
    return stored == ((mark.key, mark.at, mark.outcome) if mark else (None, None, None))


def _payload(record: StoredConnection, clear: dict[str, Any]) -> dict[str, Any]:
    token = record.token
    return {
        "access_token": token.access_token if token else None,
        "refresh_token": token.refresh_token if token else None,
        "app_secret": record.app_secret,
        "origin": record.origin,
        "decided_by": _digest(clear),
        **_binding(record.name, record.api, record.app_id, record.generation),
    }


def _digest(column: dict[str, Any]) -> str:
    """Return a digest of what is decided by; a column that is empty is as good as none."""
    # One database returns a whole number as such, another as a float.
    alike = {
        name: float(value) if isinstance(value, int) else value
        for name in _DECIDING
        if (value := column[name]) is not None
    }
    return hashlib.sha256(json.dumps(alike).encode()).hexdigest()


def to_record(row: tuple[Any, ...], cipher: Cipher) -> StoredConnection:
    """Return a row as a record, its secrets opened.

    Raises:
        StoreKeyError: The key does not fit.
        StoreDamaged: The row is not what this program wrote.
    """
    column = dict(zip(COLUMNS, row, strict=True))
    name = column["name"]
    if not is_name(name):
        raise StoreDamaged(
            f"the token store has a row named {name_shown(name)}, which is no connection's name",
            next_step="Restore the store from a backup, or delete that row.",
        )
    binding = _binding(name, column["api"], column["app_id"], column["generation"])
    try:
        for one, value in column.items():
            if not _IS_OURS[one](value):
                raise StoreDamaged(DAMAGED, next_step=MEND)  # noqa: TRY301
        return _record(column, cipher.open(column["payload"], **binding))
    except StoreDamaged as error:
        raise error.of(name) from None
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise StoreDamaged(DAMAGED, next_step=MEND).of(name) from None


def as_damage(error: StoreDamaged | StoreKeyError, name: object) -> StoreDamaged:
    """Return why a row of a store whose own key is there cannot be opened."""
    if isinstance(error, StoreDamaged):
        return error.of(name_shown(name))
    step = f"Put that key behind the others. {MEND}"
    cause = "what the token store has of it is sealed with a key that is not there"
    return StoreDamaged(cause, next_step=step).of(name_shown(name))


def name_shown(name: object) -> str:
    """Return a connection's name; what is none is quoted, so that it is not taken for one."""
    if is_name(name):
        return str(name)
    return repr(label(name)) if isinstance(name, str) else f"({type(name).__name__})"


def label(text: object, limit: int = 100) -> str:
    """Return a foreign text fit to be shown."""
    text = str(text)
    if len(text) <= limit and text.isprintable():
        return text
    from tap_tiktok_auth.redaction import clean  # noqa: PLC0415  (not for a fresh token)

    return clean(text, limit=limit)


def _is_moment(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < _FARTHEST  # NaN is not


def _is_moment_or_none(value: object) -> bool:
    return value is None or _is_moment(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value < 2**53


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_plain(value: object) -> bool:
    return value is None or (
        isinstance(value, str) and len(value) <= _LARGEST and value.isprintable()
    )


def _one_of(*choices: object) -> Callable[[object], bool]:
    return lambda value: value in choices


#: Tells for each column whether any version of this program may have written a value.
_IS_OURS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(COLUMNS, _is_plain),
    "api": APIS.__contains__,
    "generation": _is_count,
    "status": _one_of(*get_args(Status)),
    "long_term": _one_of(None, 0, 1),
    "issued_at": _is_moment_or_none,
    "access_token_expires_at": _is_moment_or_none,
    "refresh_token_expires_at": _is_moment_or_none,
    "consent_deadline": _is_moment_or_none,
    "obtained_by": _one_of(None, *get_args(ObtainedBy)),
    "last_refreshed_at": _is_moment_or_none,
    "refresh_count": _is_count,
    "attempt_at": _is_moment_or_none,
    "attempt_outcome": _one_of(None, "sent", "unconfirmed", "refused"),
    "last_error_at": _is_moment_or_none,
    "verified_at": _is_moment_or_none,
    # What others told is cleaned instead.
    "subject_id": _is_text,
    "last_error_message": _is_text,
    "last_error_code": _is_text,
    "request_id": _is_text,
}


def _texts(sealed: str) -> Iterator[str]:
    texts = json.loads(sealed)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("not a list of texts")
    return map(label, texts)


def _shown(text: str | None, limit: int = 200) -> str | None:
    return None if text is None else label(text, limit)


def _record(column: dict[str, Any], secrets: dict[str, Any]) -> StoredConnection:
    if secrets.get("decided_by", digest := _digest(column)) != digest:
        raise StoreDamaged("what the token store has of it was changed", next_step=MEND)
    token = None
    if secrets["access_token"]:
        token = Token(
            access_token=secrets["access_token"],
            refresh_token=secrets["refresh_token"],
            issued_at=_given(column["issued_at"]),
            expires_at=column["access_token_expires_at"],
            refresh_expires_at=column["refresh_token_expires_at"],
            consent_deadline=column["consent_deadline"],
            long_term=bool(column["long_term"]),
        )
    attempt = None
    if column["attempt_key"] is not None:
        attempt = TokenRequestMark(
            column["attempt_key"],
            _given(column["attempt_at"]),
            _given(column["attempt_outcome"]),
        )
    failure = None
    if column["last_error_message"] is not None:
        failure = LastError(
            label(column["last_error_message"], 500),
            _given(column["last_error_at"]),
            _shown(column["last_error_code"], 60),
        )
    scopes = column["scopes"]
    return StoredConnection(
        name=column["name"],
        api=column["api"],
        app_id=column["app_id"],
        generation=column["generation"],
        token=token,
        app_secret=secrets["app_secret"],
        redirect_uri=column["redirect_uri"],
        seed_hash=column["seed_hash"],
        spent_seeds=tuple(_texts(column["spent_seeds"])),
        status=column["status"],
        obtained_by=column["obtained_by"],
        origin=secrets.get("origin"),
        subject_id=_shown(column["subject_id"], 500),
        scopes=None if scopes is None else tuple(filter(None, _texts(scopes))),
        last_refreshed_at=column["last_refreshed_at"],
        refresh_count=column["refresh_count"],
        attempt=attempt,
        failure=failure,
        request_id=_shown(column["request_id"], 64),
        verified_at=column["verified_at"],
    )


def _given(value: T | None) -> T:
    """Return what must be there.

    Raises:
        ValueError: It is not.
    """
    if value is None:
        raise ValueError("a value is missing")
    return value


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


def readable(found: Iterable[tuple[Any, ...]], read: Callable[[tuple[Any, ...]], T]) -> Iterator[T]:
    """Return rows as what they stand for; those that make no sense are left out, and counted."""
    left_out = 0
    for row in found:
        try:
            yield read(row)
        except (TypeError, ValueError):
            left_out += 1
    if left_out:
        import logging  # noqa: PLC0415  (not for a fresh token)

        logging.getLogger(__name__).warning(
            "%d damaged rows of the token store are left out.", left_out
        )


def to_event(row: tuple[Any, ...]) -> StoredEvent:
    """Return a row of events as an event.

    Raises:
        ValueError: This program did not write it.
    """
    event_id, occurred_at, host, pid, tap_version, name, connection, *rest = row
    if not (0 <= event_id < _LAST_EVENT_ID and _is_moment(occurred_at) and isinstance(pid, int)):
        raise ValueError("not an event")
    told = tuple(None if text is None else label(text, 500) for text in rest)
    event = Event(label(_given(name)), label(_given(connection)), *told)  # type: ignore[arg-type]
    host, tap_version = label(_given(host)), label(_given(tap_version))
    return StoredEvent(event_id, occurred_at, event, host, pid, tap_version)


def from_event(stored: StoredEvent) -> tuple[Any, ...]:
    """Return an event as a row."""
    event_id, occurred_at, event, *origin = stored
    return tuple(map(storable, (event_id, occurred_at, *origin, *event)))


def to_advertiser(row: tuple[Any, ...]) -> AdvertiserAccess:
    """Return a row of advertisers as an ad account.

    Raises:
        ValueError: This program did not write it.
    """
    advertiser_id, name, source, first_seen_at, last_seen_at, lost_at = row
    moments = (first_seen_at, last_seen_at, *(() if lost_at is None else (lost_at,)))
    if (
        not (advertiser_id and _is_plain(advertiser_id))
        or source not in get_args(AdvertiserSource)
        or not all(map(_is_moment, moments))
    ):
        raise ValueError("not an ad account")
    return AdvertiserAccess(
        advertiser_id, _shown(name, 500), source, first_seen_at, last_seen_at, lost_at
    )


def from_advertiser(seen: AdvertiserAccess) -> tuple[Any, ...]:
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
