"""Connections as rows: each column is declared once, with how it is read, written and protected."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.models import is_name
from tap_tiktok_auth.credentials.models import (
    LastError,
    ObtainedBy,
    Status,
    StoredConnection,
    Token,
    TokenRequestMark,
)
from tap_tiktok_auth.errors import StoreDamaged, StoreKeyError, redaction
from tap_tiktok_auth.store.keys import DAMAGED, RESTORE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_tiktok_auth.store.keys import Cipher

#: Seconds from the epoch within which a moment can be told: the years up to 3800.
_FARTHEST = 6e10
#: Characters of one column at most.
_LARGEST = 1_000_000
_JSON_TEXT = json.encoder.encode_basestring_ascii
#: What reading a column or a payload that this program did not write may raise.
_SENSELESS = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


def storable(value: Any) -> Any:  # noqa: ANN401  (a column's value)
    """Return a value that every database takes.

    JSON may carry a NUL or half of a surrogate pair, which no text column of PostgreSQL takes: a
    strange name of an ad account must not keep a token from being stored.
    """
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def label(text: object, limit: int = 100) -> str:
    """Return a foreign text fit to be shown."""
    text = str(text)
    if len(text) <= limit and text.isprintable():
        return text
    cleaned: str = redaction().clean(text, limit=limit)
    return cleaned


# Each of these returns what a column stands for, or raises ValueError or TypeError if no version
# of this program has written that.


def moment(value: float) -> float:
    """Read a time in seconds since the epoch."""
    if -_FARTHEST < value < _FARTHEST:  # NaN is not, and a text cannot be compared
        return value
    raise ValueError("not a time")


def plain(value: str) -> str:
    """Read a text of this program's own."""
    if len(value) <= _LARGEST and value.isprintable():
        return value
    raise ValueError("not a plain text")


def _count(value: int) -> int:
    if isinstance(value, int) and 0 <= value < 2**53:
        return value
    raise ValueError("not a count")


def _texts(value: str) -> tuple[str, ...]:
    texts = json.loads(plain(value))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("not a list of texts")
    return tuple(filter(None, map(label, texts)))


def _api(value: str) -> str:
    if value not in APIS:
        raise ValueError("not a token system")
    return value


class _Kind(NamedTuple):
    """How columns of a kind are read and written."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any] = storable


_PLAIN = _Kind(plain)
_TEXTS = _Kind(_texts, json.dumps)
_MOMENT = _Kind(moment)
_COUNT = _Kind(_count)
_FLAG = _Kind({0: False, 1: True}.__getitem__, int)


def _one_of(*choices: str) -> _Kind:
    return _Kind(dict(zip(choices, choices, strict=True)).__getitem__)


_STATUS = _one_of(*get_args(Status))
_OUTCOME = _one_of("sent", "unconfirmed", "refused")


def _cleaned(limit: int) -> _Kind:
    """Return the kind of what others told: it may be any text, and comes back fit to be shown."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise TypeError("not a text")
        return label(value, limit)

    return _Kind(read)


class _Column(NamedTuple):
    """A column of the table of connections.

    Attributes:
        source: The attribute of a stored connection that it holds, or of that connection's token,
            request mark or last error; empty if it is computed.
        required: Whether every row has a value.
        decides: Whether it decides what is sent; the seal covers it too.
        amendable: Whether its change may be stored alone.
    """

    name: str
    kind: _Kind
    source: str
    required: bool = False
    decides: bool = False
    amendable: bool = False

    @property
    def part(self) -> str:
        """The part of a stored connection that has the attribute; empty for itself."""
        return self.source.rpartition(".")[0]

    @property
    def attribute(self) -> str:
        """The attribute there."""
        return self.source.rpartition(".")[2]


_TABLE = (
    _Column("name", _PLAIN, "name", required=True),
    _Column("api", _Kind(_api), "api", required=True),
    _Column("app_id", _PLAIN, "app_id", required=True),
    _Column("generation", _COUNT, "generation", required=True),
    _Column("payload", _PLAIN, ""),
    _Column("status", _STATUS, "status", required=True, decides=True, amendable=True),
    _Column("token_fingerprint", _PLAIN, ""),
    _Column("long_term", _FLAG, "token.long_term", decides=True),
    _Column("issued_at", _MOMENT, "token.issued_at", decides=True),
    _Column("access_token_expires_at", _MOMENT, "token.expires_at", decides=True, amendable=True),
    _Column("refresh_token_expires_at", _MOMENT, "token.refresh_expires_at", decides=True),
    _Column("consent_deadline", _MOMENT, "token.consent_deadline", decides=True),
    _Column("redirect_uri", _PLAIN, "redirect_uri", decides=True),
    _Column("seed_hash", _PLAIN, "seed_hash", decides=True, amendable=True),
    _Column("spent_seeds", _TEXTS, "spent_seeds", required=True, decides=True),
    _Column("obtained_by", _one_of(*get_args(ObtainedBy)), "obtained_by", decides=True),
    _Column("subject_id", _cleaned(500), "subject_id", decides=True, amendable=True),
    _Column("scopes", _TEXTS, "scopes", decides=True, amendable=True),
    _Column("last_refreshed_at", _MOMENT, "last_refreshed_at"),
    _Column("refresh_count", _COUNT, "refresh_count", required=True),
    _Column("attempt_key", _PLAIN, "attempt.key", decides=True),
    _Column("attempt_at", _MOMENT, "attempt.at", decides=True),
    _Column("attempt_outcome", _OUTCOME, "attempt.outcome", decides=True),
    _Column("last_error_message", _cleaned(500), "failure.message", amendable=True),
    _Column("last_error_code", _cleaned(60), "failure.code", amendable=True),
    _Column("last_error_at", _MOMENT, "failure.at", amendable=True),
    _Column("request_id", _cleaned(64), "request_id", amendable=True),
    _Column("verified_at", _MOMENT, "verified_at", amendable=True),
)


class _Written(NamedTuple):
    """How a column is written: its value as a connection has it, and in which form."""

    name: str
    get: Callable[[StoredConnection], Any]
    write: Callable[[Any], Any]


def _getter(column: _Column) -> Callable[[StoredConnection], Any]:
    part, attribute = column.part, column.attribute
    if not part:
        return attrgetter(attribute)

    def get(stored: StoredConnection) -> Any:  # noqa: ANN401  (an attribute's value)
        whole = getattr(stored, part)
        return None if whole is None else getattr(whole, attribute)

    return get


COLUMNS = tuple(column.name for column in _TABLE)
_WRITTEN = {c.name: _Written(c.name, _getter(c), c.kind.write) for c in _TABLE if c.source}
#: For each attribute that may be stored alone, the columns that hold it.
_AMENDABLE: dict[str, list[_Written]] = {}
for _one in _TABLE:
    if _one.amendable:
        _AMENDABLE.setdefault(_one.part or _one.attribute, []).append(_WRITTEN[_one.name])
#: For each part of a connection its columns: name, attribute, how it is read.
_READ = {
    part: [(c.name, c.attribute, c.kind.read) for c in _TABLE if c.part == part and c.attribute]
    for part in ("", "token", "attempt", "failure")
}
_REQUIRED = frozenset(c.name for c in _TABLE if c.required)
#: Name and beginning of the column in the text that is digested.
_DECIDING = tuple((c.name, f"{_JSON_TEXT(c.name)}: ") for c in _TABLE if c.decides)


def to_columns(
    stored: StoredConnection,
    cipher: Cipher,
    key: str,
    fingerprint: Callable[[str | None], str | None],
) -> dict[str, Any]:
    """Return a connection as column values, its secrets sealed and bound to them."""
    token = stored.token
    columns = dict.fromkeys(COLUMNS) | _values(stored, _WRITTEN.values())
    columns["token_fingerprint"] = fingerprint(token.access_token) if token else None
    secrets = {
        "access_token": token.access_token if token else None,
        "refresh_token": token.refresh_token if token else None,
        "app_secret": stored.app_secret,
        "origin": stored.origin,
        "decided_by": _digest(columns),
        **_binding(columns),
    }
    return columns | {"payload": cipher.seal(secrets, key=key)}


def to_stored(columns: Mapping[str, Any], cipher: Cipher) -> StoredConnection:
    """Return the connection that column values stand for, its secrets opened.

    Raises:
        StoreKeyError: The key does not fit.
        StoreDamaged: The values are not what this program wrote.
    """
    parts: list[dict[str, Any]] | None = None
    with suppress(*_SENSELESS):
        parts = _parts(columns)
    secrets = _opened(columns, cipher, sensible=parts is not None)
    try:
        return _assembled(parts or [], secrets)
    except _SENSELESS:
        raise StoreDamaged(DAMAGED, next_step=RESTORE).of(columns["name"]) from None


def amended(
    row: Mapping[str, Any],
    stored: StoredConnection,
    attributes: Iterable[str],
    cipher: Cipher,
    key: str,
) -> dict[str, Any]:
    """Return the columns to change so that a row has some attributes of a connection.

    Raises:
        KeyError: An attribute may not be stored alone.
        StoreKeyError: What is sealed changes, too, and the key does not fit.
        StoreDamaged: What is sealed changes, too, and the row is not what this program wrote.
    """
    values = _values(stored, (one for attribute in attributes for one in _AMENDABLE[attribute]))
    changed = {name: value for name, value in values.items() if value != row[name]}
    if any(name in changed for name, _ in _DECIDING):
        secrets = _opened(row, cipher) | {"decided_by": _digest({**row, **changed})}
        changed["payload"] = cipher.seal(secrets, key=key)
    return changed


def as_damage(error: StoreDamaged | StoreKeyError, name: object) -> StoreDamaged:
    """Return why a row of a store whose own key is there cannot be opened."""
    if isinstance(error, StoreDamaged):
        return error.of(name_shown(name))
    step = f"Put that key behind the others. {RESTORE}"
    cause = "what the token store has of it is sealed with a key that is not there"
    return StoreDamaged(cause, next_step=step).of(name_shown(name))


def name_shown(name: object) -> str:
    """Return a connection's name; what is none is quoted, so that it is not taken for one."""
    if is_name(name):
        return str(name)
    return repr(label(name)) if isinstance(name, str) else f"({type(name).__name__})"


def _values(stored: StoredConnection, written: Iterable[_Written]) -> dict[str, Any]:
    return {
        name: None if (value := get(stored)) is None else write(value)
        for name, get, write in written
    }


def _binding(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a sealed payload must agree with, so that it serves in no other row."""
    return {
        "connection": columns["name"],
        "api": columns["api"],
        "app_id": columns["app_id"],
        "generation": columns["generation"],
    }


def _digest(columns: Mapping[str, Any]) -> str:
    """Return a digest of what is decided by; a column that is empty is as good as none.

    It is that of JSON in which all numbers are floats: one database returns a whole number as
    such, another as a float.
    """
    given = [
        beginning + (_JSON_TEXT(value) if isinstance(value, str) else repr(float(value)))
        for name, beginning in _DECIDING
        if (value := columns.get(name)) is not None
    ]
    return hashlib.sha256(f"{{{', '.join(given)}}}".encode()).hexdigest()


def _opened(columns: Mapping[str, Any], cipher: Cipher, *, sensible: bool = True) -> dict[str, Any]:
    """Return the payload of a row that it belongs to, and in which nothing was changed since."""
    name = columns["name"]
    if not is_name(name):
        raise StoreDamaged(
            f"the token store has a row named {name_shown(name)}, which is no connection's name",
            next_step="Restore the store from a backup, or delete that row.",
        )
    if not sensible:
        raise StoreDamaged(DAMAGED, next_step=RESTORE).of(name)
    try:
        secrets = cipher.open(columns["payload"], **_binding(columns))
        digest = _digest(columns)
    except StoreDamaged as error:
        raise error.of(name) from None
    except _SENSELESS:
        raise StoreDamaged(DAMAGED, next_step=RESTORE).of(name) from None
    if secrets.get("decided_by", digest) != digest:  # version 0.1.0 sealed none
        cause = "what the token store has of it was changed"
        raise StoreDamaged(cause, next_step=RESTORE).of(name)
    return secrets


def _parts(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a connection, its token, request mark and last error have in clear."""
    return [
        {
            attribute: read(value)
            for name, attribute, read in part
            if (value := columns[name]) is not None or name in _REQUIRED
        }
        for part in _READ.values()
    ]


def _assembled(parts: list[dict[str, Any]], secrets: dict[str, Any]) -> StoredConnection:
    own, token, attempt, failure = parts
    return StoredConnection(
        **own,
        app_secret=secrets["app_secret"],
        origin=secrets.get("origin"),
        token=Token(
            secrets["access_token"],
            secrets["refresh_token"],
            issued_at=token.pop("issued_at"),
            **token,
        )
        if secrets["access_token"]
        else None,
        attempt=TokenRequestMark(**attempt) if "key" in attempt else None,
        failure=LastError(**failure) if "message" in failure else None,
    )
