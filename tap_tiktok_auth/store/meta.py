"""The table of single values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_tiktok_auth.store.database import Cursor


def get(cursor: Cursor, *names: str) -> dict[str, str]:
    """Return those of the named values that are there."""
    places = ", ".join("?" * len(names))
    cursor.execute(f"SELECT name, value FROM meta WHERE name IN ({places})", names)  # noqa: S608
    return {str(name): str(value) for name, value in cursor.fetchall()}


def put(cursor: Cursor, name: str, value: str) -> None:
    """Store a value."""
    cursor.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def lock(cursor: Cursor, name: str) -> None:
    """Lock a value until the end of the transaction."""
    cursor.execute("UPDATE meta SET value = value WHERE name = ?", (name,))
