"""The tables, how an older store becomes a newer one, and the table of single values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import StoreDamaged, StoreTooNew

if TYPE_CHECKING:
    from tap_tiktok_auth.store.database import Cursor, Database

#: Each migration is a list of statements; a store's version is how many it has seen.
#: Never change one that was released: add another.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE connections (
            name {text} PRIMARY KEY,
            api {text} NOT NULL,
            app_id {text} NOT NULL,
            generation {integer} NOT NULL,
            payload {text} NOT NULL,
            status {text} NOT NULL,
            token_fingerprint {text},
            long_term {integer},
            issued_at {moment},
            access_token_expires_at {moment},
            refresh_token_expires_at {moment},
            consent_deadline {moment},
            redirect_uri {text},
            seed_hash {text},
            spent_seeds {text} NOT NULL,
            obtained_by {text},
            subject_id {text},
            scopes {text},
            last_refreshed_at {moment},
            refresh_count {integer} NOT NULL,
            attempt_key {text},
            attempt_at {moment},
            attempt_outcome {text},
            last_error_message {text},
            last_error_code {text},
            last_error_at {moment},
            request_id {text},
            verified_at {moment},
            lease_holder {text},
            lease_until {moment}
        )
        """,
        """
        CREATE TABLE advertisers (
            connection {text} NOT NULL,
            advertiser_id {text} NOT NULL,
            name {text},
            source {text} NOT NULL,
            first_seen_at {moment} NOT NULL,
            last_seen_at {moment} NOT NULL,
            lost_at {moment},
            PRIMARY KEY (connection, advertiser_id)
        )
        """,
        """
        CREATE TABLE events (
            event_id {integer} PRIMARY KEY,
            connection {text} NOT NULL,
            event {text} NOT NULL,
            occurred_at {moment} NOT NULL,
            fingerprint_before {text},
            fingerprint_after {text},
            advertiser_id {text},
            error_code {text},
            error_message {text},
            request_id {text},
            host {text} NOT NULL,
            pid {integer} NOT NULL,
            tap_version {text} NOT NULL
        )
        """,
        "CREATE INDEX events_of_connection ON events (connection, event_id)",
        """
        CREATE TABLE pending_logins (
            state_hash {text} PRIMARY KEY,
            begun_at {moment} NOT NULL,
            payload {text} NOT NULL
        )
        """,
        "INSERT INTO meta (name, value) VALUES ('last_event_id', '0')",
    ),
    # Since then the seal covers what is decided by. Older programs would change that alone, and
    # their rows would not be believed: they must not write any more, nor those that still run.
    (
        "ALTER TABLE connections RENAME COLUMN lease_holder TO held_by",
        "ALTER TABLE connections RENAME COLUMN lease_until TO held_until",
    ),
)

VERSION = len(MIGRATIONS)


def migrate(database: Database) -> None:
    """Bring a store to this program's schema; an up-to-date one is only read.

    Raises:
        StoreTooNew: A newer version of this program made the store.
        StoreDamaged: It is someone else's database.
    """
    with database.writing(exclusive=True) as cursor:
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS meta (name {database.types['text']} PRIMARY KEY,"
            f" value {database.types['text']} NOT NULL)"
        )
        version = read_version(cursor)
        check(version, database.location)
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                cursor.execute(statement.format(**database.types))
        put_value(cursor, "schema_version", str(VERSION))


def read_version(cursor: Cursor) -> int:
    """Return the schema version of a store that has the table `meta`.

    Raises:
        StoreDamaged: It is not a number.
    """
    try:
        return int(get_values(cursor, "schema_version").get("schema_version", 0))
    except ValueError:
        raise StoreDamaged("the token store's schema version is not a number") from None


def check(version: int, location: str) -> None:
    """Refuse a store of a newer schema.

    Raises:
        StoreTooNew: It is newer.
    """
    if version > VERSION:
        raise StoreTooNew(
            f"the token store {location} was made by a newer tap-tiktok-auth",
            next_step="Upgrade this installation: pip install --upgrade tap-tiktok-auth",
        )


def get_values(cursor: Cursor, *names: str) -> dict[str, str]:
    """Return those of the named values of the table `meta` that are there."""
    places = ", ".join("?" * len(names))
    cursor.execute(f"SELECT name, value FROM meta WHERE name IN ({places})", names)
    return {str(name): str(value) for name, value in cursor.fetchall()}


def put_value(cursor: Cursor, name: str, value: str) -> None:
    """Store a value in the table `meta`."""
    cursor.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )
