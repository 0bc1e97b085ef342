"""PostgreSQL addresses: as the driver's parameters, in messages, and why nobody answers there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from tap_tiktok_auth.errors import ConfigurationError, StoreUnavailable
from tap_tiktok_auth.network import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_tiktok_auth.store.database import Meanings

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
#: The modes that never fall back to a connection without TLS.
_ENCRYPTED = ("require", "verify-ca", "verify-full")
#: What the parts of an address look like that appear in messages.
_SHOWN = {
    "host": re.compile(r"[\w./:,\[\]-]*"),
    "port": re.compile(r"[\d,]*"),
    "dbname": re.compile(r"[^@\s]*"),
}

_START = "Start the server, or correct token_store."
_ROOM = "Run again, or raise its max_connections."
#: A refused connection has no SQLSTATE, only words; a server may speak another language, then the
#: last line applies.
REFUSALS: Meanings = tuple(
    (words, StoreUnavailable, problem, step)
    for words, problem, step in (
        ("connection refused|no such file or directory", "has no server running there", _START),
        ("starting up", "is just starting", "Run again in a moment."),
        ("shutting down", "is being stopped", "Start the server, then run again."),
        ("password authentication failed", "refuses user or password", "Correct token_store."),
        ("no password supplied", "wants a password", "Put it in token_store, or in ~/.pgpass."),
        ("no pg_hba.conf entry", "lets nobody in from here", "Allow this host in its pg_hba.conf."),
        ("too many clients|connection slots", "has no free connection", _ROOM),
        (
            "cleartext password",
            "wants the password in clear text without TLS that proves who it is",
            "Add sslmode=verify-full&sslrootcert=FILE to the query of token_store.",
        ),
        (
            "does not support ssl",
            "does not offer TLS",
            "Turn TLS on there; or, in a trusted network, add sslmode=disable to token_store.",
        ),
        (
            '"require_auth"',
            "needs a driver with libpq 16 or newer",
            "Run: pip install --upgrade 'psycopg[binary]'",
        ),
        (
            "certificate",
            "has no certificate that can be trusted",
            "Correct sslrootcert or sslmode.",
        ),
        ("ssl", "cannot agree on TLS with this machine", "Correct sslmode in token_store."),
        ("timeout", "does not answer", "Check host, port and firewall."),
        ("not known|resolve", "has an unknown host", "Correct the host in token_store."),
        ('database "', "is not on that server", "Create the database, or correct token_store."),
        ("", "cannot be reached", "Check the server and the setting token_store."),
    )
)


def parameters(url: str) -> dict[str, Any]:
    """Return the driver's parameters of an address of the setting `token_store`.

    Options in its query (`sslmode`, `sslrootcert`, `connect_timeout`, `host` of a socket) are
    kept. A driver named after a `+`, as SQLAlchemy and Meltano write it, is dropped. The
    environment variables of PostgreSQL fill in what the address omits, but neither lead to another
    server nor take protection away.

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
    if given.get("service"):
        raise _malformed("must name host and database itself, not a service")
    return {**DEFAULTS, **given, **_protection(given), "client_encoding": "utf8"}


def is_remote(parameters: Mapping[str, Any]) -> bool:
    """Whether any server of an address is reached over a network."""
    host = parameters.get("host") or _from_environment().get("host") or ""
    servers = [*host.split(","), *(parameters.get("hostaddr") or "").split(",")]
    return not all(
        server == "" or server.startswith("/") or is_loopback(server) for server in servers
    )


def weakness(parameters: Mapping[str, Any]) -> str | None:
    """Return what the connection to a remote server is open to, or None."""
    mode = parameters.get("sslmode")
    if mode == "verify-full" or not is_remote(parameters):
        return None
    if mode in _ENCRYPTED:
        return f"with sslmode={mode} another server could answer in its place"
    return f"with sslmode={mode} the network can read and change what is sent"


def _protection(given: Mapping[str, Any]) -> dict[str, str]:
    """Return what keeps the password, and what is stored, from other servers and listeners."""
    protection = {"hostaddr": given.get("hostaddr") or ""}  # or PGHOSTADDR would apply
    if not is_remote(given):
        return protection
    effective = {**_from_environment(), **given}
    mode = effective.get("sslmode")
    if not given.get("sslmode") and mode not in _ENCRYPTED:
        # Of the certificates that every system trusts, libpq takes none without the host's name.
        mode = "verify-full" if effective.get("sslrootcert") == "system" else "require"
    protection["sslmode"] = str(mode)
    if not protection["sslmode"].startswith("verify-"):
        # Whoever answers in the server's place could ask for the password in clear text.
        methods = [m for m in (effective.get("require_auth") or "").split(",") if m != "password"]
        denied = [method for method in methods if method.startswith("!") or not method]
        if denied == methods:
            methods = sorted({*filter(None, methods), "!password"})
        protection["require_auth"] = ",".join(methods)
    return protection


def _from_environment() -> dict[str, str]:
    """Return the parameters that libpq takes from the environment, or has by default."""
    return {
        option.keyword.decode(): option.val.decode()
        for option in Conninfo.get_defaults()
        if option.val is not None
    }


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
