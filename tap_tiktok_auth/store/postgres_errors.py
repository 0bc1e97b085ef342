"""What PostgreSQL and its driver say, and what it means to the user.

The driver's own texts are never shown: they may name users and addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import StoreDamaged, StoreError, StoreUnavailable
from tap_tiktok_auth.store.postgres_schema import FORMER, SCHEMA

if TYPE_CHECKING:
    import psycopg

_LATER = "Run again; if it stays so, look at the server's log."
_RESTORE = f"Restore the schema {SCHEMA} from a backup, or give token_store another database."

#: By the beginning of the SQLSTATE, the longest first.
_STATES: tuple[tuple[str, type[StoreError], str, str], ...] = (
    ("23505", StoreUnavailable, "was changed by somebody else at this moment", _LATER),
    ("25006", StoreUnavailable, "is read-only", "Give token_store the address of the primary."),
    ("53100", StoreUnavailable, "cannot grow, its disk is full", "Make room on its disk."),
    ("53300", StoreUnavailable, "has no free connection", _LATER),
    ("55P03", StoreUnavailable, "is locked by another program", "End it, a backup perhaps."),
    ("57014", StoreUnavailable, "did not answer in time", _LATER),
    ("XX", StoreDamaged, "is damaged", _RESTORE),
    ("3F", StoreDamaged, "lacks tables of this program", _RESTORE),
    ("42P01", StoreDamaged, "lacks tables of this program", _RESTORE),
    ("42P06", StoreUnavailable, "was changed by somebody else at this moment", _LATER),
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
    if state == "42501":
        return may_not_use(location, user)
    for beginning, kind, problem, step in _STATES:
        if state.startswith(beginning):
            return kind(f"the token store {location} {problem}", next_step=step)
    if broken:
        return StoreUnavailable(
            f"the token store {location} broke the connection", next_step=_LATER
        )
    return StoreError(f"the token store {location} failed (SQLSTATE {state or 'none'})")


def may_not_use(location: str, user: str) -> StoreUnavailable:
    """Return the error that the user may not use the store's tables."""
    return StoreUnavailable(
        f"the token store {location} refuses its user a permission",
        next_step=(
            f"Let its owner run: GRANT USAGE ON SCHEMA {SCHEMA} TO {quoted(user)}; "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} "
            f"TO {quoted(user)};"
        ),
    )


def may_not_create(location: str, database: str, user: str) -> StoreUnavailable:
    """Return the error that the user may not create the store's schema."""
    return StoreUnavailable(
        f"the token store {location} does not let its user create the schema {SCHEMA}",
        next_step=(
            f"Let its owner run: GRANT CREATE ON DATABASE {quoted(database)} TO {quoted(user)};"
        ),
    )


def may_not_move(location: str, owner: str) -> StoreUnavailable:
    """Return the error that the user may not move the tables of an older version."""
    return StoreUnavailable(
        f"the token store {location} is in the schema {FORMER}, where its user may not move it from"
        f" to {SCHEMA}",
        next_step=f"Run once as its owner {quoted(owner)}: tiktok-auth status",
    )


def not_ours(location: str, place: str, owner: str, user: str, fault: str) -> StoreDamaged:
    """Return the error that others could run their SQL with the rights of the user.

    Args:
        location: Where the database is.
        place: The schema or table.
        owner: The role that it belongs to.
        user: The role that wants to use it.
        fault: What it has that this program does not make; `owner` if only the owner is wrong.
    """
    owner, user = quoted(owner), quoted(user)
    if fault == "owner":
        return StoreDamaged(
            f"the {place} of the token store {location} belongs to the role {owner}, which could "
            f"make it run SQL with the rights of {user}",
            next_step=(
                f"Connect as {owner}; or, if {user} may trust it, let an administrator run: "
                f"GRANT {owner} TO {user}; else give token_store another database."
            ),
        )
    return StoreDamaged(
        f"the {place} of the token store {location} {fault}, which this program never makes",
        next_step=(
            "Find out who made it, remove it and VACUUM the table; or give token_store another"
            " database."
        ),
    )


def quoted(identifier: str) -> str:
    """Return an SQL identifier as it is written in a statement."""
    printable = "".join(character for character in identifier if character.isprintable())
    return '"' + printable.replace('"', '""') + '"'
