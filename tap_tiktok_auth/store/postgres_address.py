"""PostgreSQL addresses: every form of the setting, as the driver's parameters and for messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from tap_tiktok_auth.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Used where the address does not say otherwise. A peer that vanished without a word is noticed
#: after 30 seconds of silence.
DEFAULTS: dict[str, Any] = {
    "application_name": "tap-tiktok-auth",
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: What the parts of an address look like that appear in messages.
_SHOWN = {
    "host": re.compile(r"[\w./:,\[\]-]*"),
    "port": re.compile(r"[\d,]*"),
    "dbname": re.compile(r"[^@\s]*"),
}


def parameters(url: str) -> dict[str, Any]:
    """Return the driver's parameters of an address of the setting `token_store`.

    Options in its query (`sslmode`, `sslrootcert`, `connect_timeout`, `host` of a socket) are
    kept. A driver named after a `+`, as SQLAlchemy and Meltano write it, is dropped.

    Raises:
        ConfigurationError: It is malformed.
    """
    try:
        given = conninfo_to_dict("postgresql://" + url.partition("://")[2])
    except (ProgrammingError, UnicodeError):
        raise _malformed("is not a valid PostgreSQL address") from None
    # A password with a bare @ or / would end up in the other parts, and with them in messages.
    for part, looks in _SHOWN.items():
        if not looks.fullmatch(str(given.get(part) or "")):
            raise _malformed("is not a valid PostgreSQL address")
    return {**DEFAULTS, **given, "client_encoding": "utf8"}


def location(parameters: Mapping[str, Any]) -> str:
    """Return where the database is, without user, password and options."""
    host = parameters.get("host") or ""
    port = f":{parameters['port']}" if parameters.get("port") else ""
    return f"postgresql://{host}{port}/{parameters.get('dbname') or ''}"


def _malformed(how: str) -> ConfigurationError:
    return ConfigurationError(
        f"setting token_store {how}",
        next_step=(
            "Write it like postgresql://user:password@host:5432/database, with special characters "
            "of the password percent-encoded (@ as %40, / as %2F)."
        ),
    )
