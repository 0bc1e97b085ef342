"""Statements on the table of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.store import rows

if TYPE_CHECKING:
    from tap_tiktok_auth.store.database import Cursor

_SELECT = f"SELECT {', '.join(rows.COLUMNS)} FROM connections"  # noqa: S608  (own constants)
_SELECT_ONE = (
    f"SELECT {', '.join(rows.COLUMNS)}, held_by, held_until"  # noqa: S608
    " FROM connections WHERE name = ?"
)
_INSERT = (
    f"INSERT INTO connections ({', '.join(rows.COLUMNS)})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(rows.COLUMNS))}) ON CONFLICT (name) DO "
)
INSERT_NEW = _INSERT + "NOTHING"
UPSERT = (
    _INSERT
    + "UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in rows.COLUMNS if column != "name")
)


def select(cursor: Cursor, name: str) -> tuple[tuple[Any, ...] | None, str | None, float]:
    """Return a connection's row, its last holder, and until when that one holds it."""
    cursor.execute(_SELECT_ONE, (name,))
    found = cursor.fetchone()
    if found is None:
        return None, None, 0.0
    *row, holder, until = found
    return tuple(row), holder, until if isinstance(until, int | float) else 0.0


def every(cursor: Cursor) -> list[tuple[Any, ...]]:
    """Return the rows of all connections, sorted by name."""
    cursor.execute(f"{_SELECT} ORDER BY name")
    return [tuple(row) for row in cursor.fetchall()]


def payloads(cursor: Cursor) -> list[tuple[Any, Any, Any]]:
    """Return name, token system and sealed payload of all connections."""
    cursor.execute("SELECT name, api, payload FROM connections ORDER BY name")
    return cursor.fetchall()


def update(cursor: Cursor, name: str, columns: dict[str, Any]) -> None:
    """Change columns, given by trusted names, of a connection."""
    if not columns:
        return
    assignments = ", ".join(f"{column} = ?" for column in columns)
    cursor.execute(
        f"UPDATE connections SET {assignments} WHERE name = ?",  # noqa: S608
        (*columns.values(), name),
    )


def term(holder: str, otherwise: float) -> float:
    """Return for how many seconds a holder takes a lease at once, as its name tells."""
    seconds = holder.rpartition("/")[2]
    return float(seconds) if seconds.isascii() and seconds.isdecimal() else otherwise


def release(cursor: Cursor, name: str, holder: str) -> None:
    """End a lease, if it is still this holder's."""
    cursor.execute(
        "UPDATE connections SET held_by = NULL, held_until = NULL WHERE name = ? AND held_by = ?",
        (name, holder),
    )


def same(row: tuple[Any, ...], columns: dict[str, Any]) -> bool:
    """Whether a row has just these columns; sealed texts differ each time."""
    stored = dict(zip(rows.COLUMNS, row, strict=True))
    return all(stored[name] == value for name, value in columns.items() if name != "payload")
