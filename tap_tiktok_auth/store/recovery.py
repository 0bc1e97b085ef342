"""The last resort for a new token that the store would not take: a sealed file.

It is written when TikTok has answered and the store fails, and taken in by the next run.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import StoreUnavailable, TikTokAuthError
from tap_tiktok_auth.store import files, rows, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.records import Record
    from tap_tiktok_auth.store.contract import Store

log = logging.getLogger(__name__)

_SUFFIX = ".recovery"


def folders(store: Store) -> Iterator[Path]:
    """Return the folders for recovery files, the best first.

    Beside a SQLite store, then in the user's state folder, then in the folder for temporary
    files: whatever failed at the first may work at the next.
    """
    if store.location.startswith("sqlite:"):
        yield sqlite_path(store.location).parent / "recovery"
    import platformdirs  # noqa: PLC0415  (needed in distress only)

    yield Path(platformdirs.user_state_dir("tap-tiktok-auth")) / "recovery"
    yield Path(tempfile.gettempdir()) / f"tap-tiktok-auth-{os.getuid()}"


def write(store: Store, record: Record) -> Path:
    """Keep a record with new tokens in a file.

    Returns:
        The file.

    Raises:
        StoreUnavailable: No folder takes it.
    """
    columns = rows.from_record(record, store.cipher, store.cipher.primary, store.fingerprint)
    sealed = store.cipher.seal({"recovery": store.location, "columns": columns})
    name = f"{record.name.replace(':', '_')}-{record.generation}-{time.time_ns()}{_SUFFIX}"
    for folder in folders(store):
        try:
            files.private_folder(folder)
            if _is_ours(folder):
                files.create_once(folder / name, sealed.encode())
                return folder / name
        except StoreUnavailable as error:
            log.warning("%s", error)
    raise StoreUnavailable(
        "the token store and all places for a recovery file refuse TikTok's new token",
        next_step="Mend the store, then run: tiktok-auth login {connection}",
    )


def take_in(store: Store) -> int:
    """Store what earlier runs had to leave in files, and delete the files.

    Files that are not this store's, that its key does not open, or that it is too far behind,
    stay where they are.

    Returns:
        How many tokens were saved.
    """
    saved = 0
    for folder in folders(store):
        if not folder.is_dir() or not _is_ours(folder):
            continue
        for file in sorted(folder.glob(f"*{_SUFFIX}")):
            record = _read(store, file)
            if record is None:
                continue
            if store.commit(record, None):
                log.warning("connection %s: took in the token kept in %s", record.name, file)
                saved += 1
            elif _may_still_be_needed(store, record):
                continue
            file.unlink(missing_ok=True)
    return saved


def _read(store: Store, file: Path) -> Record | None:
    try:
        payload = store.cipher.open(file.read_text(), recovery=store.location)
        return rows.to_record(tuple(payload["columns"].values()), store.cipher)
    except (TikTokAuthError, OSError, ValueError, KeyError):
        return None


def _may_still_be_needed(store: Store, record: Record) -> bool:
    """Whether the store is behind a file, because it was restored from an older backup."""
    current = store.read(record.name)
    return current is not None and current.generation < record.generation


def _is_ours(folder: Path) -> bool:
    """Whether the folder is a real one of this user's: others may write to its parent."""
    status = folder.lstat()
    return not folder.is_symlink() and status.st_uid == os.getuid() and not status.st_mode & 0o077
