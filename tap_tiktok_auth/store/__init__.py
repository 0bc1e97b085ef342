"""The token store: where tokens are kept so that none is ever lost."""

from __future__ import annotations

import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.store import files, keys
from tap_tiktok_auth.store.contract import Claim, Snapshot, Store
from tap_tiktok_auth.store.keys import Cipher, new_key
from tap_tiktok_auth.store.sql import SqlStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.process import Stop
    from tap_tiktok_auth.store.database import Database

__all__ = [
    "Claim",
    "Snapshot",
    "Store",
    "empty_store",
    "is_postgres",
    "missing_file",
    "open_store",
    "sqlite_path",
]

_SQLITE = "sqlite:///"


def open_store(
    url: str | None,
    key: str | None,
    *,
    clock: Callable[[], float] = time.time,
    stop: Stop | None = None,
) -> Store:
    """Open the token store of the settings, creating or migrating it where needed.

    Args:
        url: Setting `token_store`; None for the SQLite file in the user's data folder.
        key: Setting `token_store_key`; None for the key file.
        clock: Returns seconds since the epoch; a PostgreSQL store uses the server's clock.
        stop: Set when the process was told to stop: no database is waited for then.

    Raises:
        ConfigurationError: A setting is malformed, or the key of a shared store is missing.
        StoreError: The store cannot be used.
    """
    given = None if key is None else Cipher.from_text(key)
    if is_postgres(url):
        if given is None:
            raise ConfigurationError(
                "setting token_store_key is missing, a shared token store needs it",
                next_step="Give every machine the same one, made with: tiktok-auth keygen",
            )
        database: Database = _postgres(url or "", stop)
    else:
        database = _driver("sqlite").SQLite(sqlite_path(url), clock=clock, stop=stop)

    def load(new: bool) -> Cipher:
        return given or keys.load(keys.default_key_file(), create=new)

    try:
        return SqlStore(database, load)
    except BaseException:
        database.close()
        raise


def empty_store() -> Store:
    """Return a store that has nothing and ends with the process: what there is before the first."""
    sqlite = _driver("sqlite")
    return SqlStore(sqlite.SQLite(sqlite.NOWHERE), lambda _: Cipher.from_text(new_key()))


def missing_file(url: str | None) -> Path | None:
    """Return the file of a SQLite store that was not made yet; None if there is a store.

    Raises:
        ConfigurationError: The address is malformed.
        StoreUnavailable: It cannot be known.
    """
    if is_postgres(url):
        return None
    path = sqlite_path(url)
    return None if files.exists(path) or path.is_symlink() else path


def is_postgres(url: str | None) -> bool:
    """Whether a `token_store` address is one of PostgreSQL's forms, with or without a driver."""
    scheme = (url or "").partition("://")[0]
    return scheme.partition("+")[0] in {"postgresql", "postgres"}


def sqlite_path(url: str | None) -> Path:
    """Return the file of a `sqlite:///` address, or the default one.

    Raises:
        ConfigurationError: It is none of the forms that `token_store` may have.
    """
    if url is None:
        return files.user_file("data", "tokens.db", "token_store")
    path = Path(url[len(_SQLITE) :]) if url.startswith(_SQLITE) else None
    if path is None or not path.is_absolute() or path == Path("/"):
        raise ConfigurationError(
            "setting token_store is not an address of a token store",
            next_step="Write it like sqlite:////absolute/path.db or postgresql://host/database",
        )
    return path


def _postgres(url: str, stop: Stop | None) -> Database:
    try:
        postgres = _driver("postgres")
    except ImportError:
        raise ConfigurationError(
            "setting token_store is a PostgreSQL address, but the driver is not installed",
            next_step="Run: pip install 'tap-tiktok-auth[postgres]'",
        ) from None
    database: Database = postgres.Postgres(url, stop)
    return database


def _driver(name: str) -> Any:  # noqa: ANN401  (a module)
    """Load a driver; only the one that is used."""
    return import_module(f"{__name__}.{name}")
