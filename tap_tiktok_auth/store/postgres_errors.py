"""What PostgreSQL and its driver say, and what it means to the user.

The driver's own texts are never shown: they may name users and addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import StoreDamaged, StoreError, StoreUnavailable

if TYPE_CHECKING:
    import psycopg

_LATER = "Run again; if it stays so, look at the server's log."
_RESTORE = "Restore the schema tap_tiktok_auth from a backup, or give token_store another database."

#: By the beginning of the SQLSTATE, the longest first.
_STATES: tuple[tuple[str, type[StoreError], str, str], ...] = (
    ("25006", StoreUnavailable, "is read-only", "Give token_store the address of the primary."),
    ("42501", StoreUnavailable, "refuses its user a permission", "{grant}"),
    ("53100", StoreUnavailable, "cannot grow, its disk is full", "Make room on its disk."),
    ("53300", StoreUnavailable, "has no free connection", _LATER),
    ("55P03", StoreUnavailable, "is locked by another program", "End it, a backup perhaps."),
    ("57014", StoreUnavailable, "did not answer in time", _LATER),
    ("XX", StoreDamaged, "is damaged", _RESTORE),
    ("3F", StoreDamaged, "lacks tables of this program", _RESTORE),
    ("42P01", StoreDamaged, "lacks tables of this program", _RESTORE),
    ("42703", StoreDamaged, "lacks columns of this program", _RESTORE),
    ("40", StoreUnavailable, "broke off a transaction in favour of another one", _LATER),
    ("53", StoreUnavailable, "has run out of resources", _LATER),
    ("57", StoreUnavailable, "was stopped", "Start the server, then run again."),
    ("08", StoreUnavailable, "broke the connection", _LATER),
)
#: A refused connection has no SQLSTATE, only words; a server may speak another language, then the
#: last line applies.
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("connection refused", "does not run there", "Start the server, or correct token_store."),
    (
        "no such file or directory",
        "does not run there",
        "Start the server, or correct token_store.",
    ),
    ("starting up", "is just starting", "Run again in a moment."),
    ("shutting down", "is being stopped", "Start the server, then run again."),
    ("password authentication failed", "refuses user or password", "Correct token_store."),
    ("no password supplied", "wants a password", "Put it in token_store, or in ~/.pgpass."),
    ("no pg_hba.conf entry", "lets nobody in from here", "Allow this host in its pg_hba.conf."),
    ("too many clients", "has no free connection", "Run again, or raise its max_connections."),
    ("connection slots", "has no free connection", "Run again, or raise its max_connections."),
    ("certificate", "has no certificate that can be trusted", "Correct sslrootcert or sslmode."),
    ("ssl", "cannot agree on TLS with this machine", "Correct sslmode in token_store."),
    ("timeout", "does not answer", "Check host, port and firewall."),
    ("name or service not known", "has an unknown host", "Correct the host in token_store."),
    ("resolve", "has an unknown host", "Correct the host in token_store."),
    ('database "', "is not on that server", "Create the database, or correct token_store."),
    ("", "cannot be reached", "Check the server and the setting token_store."),
)


def refused(error: psycopg.Error, location: str) -> StoreUnavailable:
    """Return the error that no connection could be had."""
    said = str(error).lower()
    problem, step = next((what, step) for words, what, step in _WORDS if words in said)
    return StoreUnavailable(f"the token store {location} {problem}", next_step=step)


def silent(location: str) -> StoreUnavailable:
    """Return the error that the server says nothing."""
    return StoreUnavailable(
        f"the token store {location} does not answer",
        next_step="Check its server and the network, then run again.",
    )


def failed(error: psycopg.Error, location: str, user: str, *, broken: bool) -> StoreError:
    """Return the error that a statement failed.

    Args:
        error: The driver's error.
        location: Where the database is.
        user: The role that lacks a permission, if it does.
        broken: Whether the connection was lost.
    """
    state = error.sqlstate or ""
    for beginning, kind, problem, step in _STATES:
        if state.startswith(beginning):
            grant = (
                f"Let its owner run: GRANT ALL ON SCHEMA tap_tiktok_auth TO {quoted(user)}; "
                f"GRANT ALL ON ALL TABLES IN SCHEMA tap_tiktok_auth TO {quoted(user)};"
            )
            return kind(
                f"the token store {location} {problem}", next_step=step.replace("{grant}", grant)
            )
    if broken:
        return StoreUnavailable(
            f"the token store {location} broke the connection", next_step=_LATER
        )
    return StoreError(f"the token store {location} failed (SQLSTATE {state or 'none'})")


def may_not_create(location: str, database: str, user: str) -> StoreUnavailable:
    """Return the error that the user may not create the store's schema."""
    return StoreUnavailable(
        f"the token store {location} does not let its user create the schema tap_tiktok_auth",
        next_step=(
            f"Let its owner run: GRANT CREATE ON DATABASE {quoted(database)} TO {quoted(user)};"
        ),
    )


def quoted(identifier: str) -> str:
    """Return an SQL identifier as it is written in a statement."""
    printable = "".join(character for character in identifier if character.isprintable())
    return '"' + printable.replace('"', '""') + '"'
