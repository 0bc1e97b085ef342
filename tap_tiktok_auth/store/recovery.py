"""The last resort for a new token that the store would not take: a sealed file.

It is written when TikTok has answered and the store fails, and taken in by the next run.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import StoreKeyError, StoreUnavailable, TikTokAuthError
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
    import platformdirs  # noqa: PLC0415  (not for a fresh token)

    state = Path(platformdirs.user_state_dir("tap-tiktok-auth"))
    if state.is_absolute():  # else this user has no home, and the working folder is not one
        yield state / "recovery"
    with suppress(FileNotFoundError):  # no folder for temporary files can be written to
        yield Path(tempfile.gettempdir()) / f"tap-tiktok-auth-{os.getuid()}"


def write(store: Store, record: Record, *, follows: Record | None = None) -> Path:
    """Keep a record with new tokens in a file.

    Args:
        store: The store that does not take it.
        record: The record.
        follows: The record whose token it replaces: the file is taken in after no other one.

    Returns:
        The file.

    Raises:
        StoreUnavailable: No folder takes it.
    """
    columns = rows.from_record(record, store.cipher, store.cipher.primary, store.fingerprint)
    former = follows.token.access_token if follows and follows.token else None
    sealed = store.cipher.seal(
        {"recovery": store.location, "follows": store.fingerprint(former), "columns": columns}
    )
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
    # In the order in which TikTok gave the tokens, wherever they are.
    for kept in sorted(_kept(store), key=lambda kept: kept.record.generation):
        record = kept.record
        if _follows(kept, store) and store.commit(record, None):
            log.warning("connection %s: took in the token kept in %s", record.name, kept.file)
            saved += 1
        elif _may_still_be_needed(store, record):
            continue
        kept.file.unlink(missing_ok=True)
    return saved


@dataclass(frozen=True)
class _Kept:
    file: Path
    record: Record
    follows: str | None


def _kept(store: Store) -> Iterator[_Kept]:
    for folder in folders(store):
        if not folder.is_dir() or not _is_ours(folder):
            continue
        for file in folder.glob(f"*{_SUFFIX}"):
            with suppress(TikTokAuthError, OSError, ValueError, KeyError):
                yield _read(store, file)


def _read(store: Store, file: Path) -> _Kept:
    try:
        payload = store.cipher.open(file.read_text(), recovery=store.location)
        record = rows.to_record(tuple(payload["columns"].values()), store.cipher)
    except StoreKeyError:
        log.warning("the key of the token kept in %s is not there; put it behind the others", file)
        raise
    return _Kept(file, record, payload.get("follows"))


def _follows(kept: _Kept, store: Store) -> bool:
    """Whether a file continues the chain that is stored, not one of the same name before it."""
    current = store.read(kept.record.name)
    if kept.follows is None or current is None or current.token is None:
        return True
    return store.fingerprint(current.token.access_token) == kept.follows


def _may_still_be_needed(store: Store, record: Record) -> bool:
    """Whether the store is behind a file, because it was restored from an older backup."""
    current = store.read(record.name)
    return current is not None and current.generation < record.generation


def _is_ours(folder: Path) -> bool:
    """Whether the folder is a real one of this user's: others may write to its parent."""
    status = folder.lstat()
    return not folder.is_symlink() and status.st_uid == os.getuid() and not status.st_mode & 0o077
