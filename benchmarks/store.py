"""What the token store costs: one read, and one lease with one commit, on both databases.

Beside the times stand ratios to one bare commit in the same database, which say how much of a time
is the disk's. PostgreSQL runs on this machine, with `fsync` on.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from harness import Figure, median, table

from tap_tiktok_auth.credentials.models import StoredConnection, Token
from tap_tiktok_auth.store import Store, open_store
from tap_tiktok_auth.store.keys import new_key

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.postgres_server import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 400


def measure() -> list[Figure]:
    """Measure both databases."""
    return [*_sqlite(), *_postgres()]


def _sqlite() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bare = stack.enter_context(
            closing(sqlite3.connect(f"{folder}/bare.db", isolation_level=None))
        )
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE t (x)")
        url = f"sqlite:///{folder}/store/tokens.db"
        return _figures(
            "SQLite", url, lambda: bare.execute("INSERT INTO t VALUES (1)"), wanted=(1.0, 10.0)
        )


def _postgres() -> list[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="tap-tiktok-auth-benchmark-"))
    server = PostgresServer(folder, durable=True)
    try:
        server.start()
        with psycopg.connect(server.url("postgres"), autocommit=True) as bare:
            bare.execute("CREATE TABLE t (x int)")
            return _figures(
                "PostgreSQL",
                server.url("postgres"),
                lambda: bare.execute("INSERT INTO t VALUES (1)"),
            )
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _figures(
    database: str,
    url: str,
    bare_commit: Callable[[], object],
    *,
    wanted: tuple[float, float] | None = None,
) -> list[Figure]:
    key = new_key()
    with closing(open_store(url, key)) as store:
        token = Token("act.access", "rft.refresh", issued_at=1.0, expires_at=2.0)
        store.commit(StoredConnection("acme", "accounts", "7001", generation=1, token=token), None)
        read = median(lambda: store.read("acme"), TIMES)
        renewal = median(lambda: _renew(store), TIMES)
        commit = median(bare_commit, TIMES)
        opening = median(lambda: open_store(url, key).close(), 20)
    limits = wanted or (None, None)
    return [
        Figure(f"{database}: a bare commit", _shown(commit, commit)),
        Figure(f"{database}: read", _shown(read, commit), *_judged(read, limits[0])),
        Figure(
            f"{database}: lease + commit", _shown(renewal, commit), *_judged(renewal, limits[1])
        ),
        Figure(f"{database}: opening the store", _shown(opening, commit)),
    ]


def _renew(store: Store) -> None:
    claim = store.claim("acme", "me", 60, lambda record: record)
    if claim.stored is None or claim.stored.token is None:
        raise SystemExit("the lease was not held")
    store.commit(replace(claim.stored, generation=claim.stored.generation + 1), "me")


def _shown(seconds: float, commit: float) -> str:
    return f"{seconds * 1_000:.3f} ms ({seconds / commit:.2f} x a bare commit)"


def _judged(seconds: float, limit: float | None) -> tuple[str, bool | None]:
    return ("", None) if limit is None else (f"{limit:g} ms", seconds * 1_000 <= limit)


if __name__ == "__main__":
    print(table(measure()))
