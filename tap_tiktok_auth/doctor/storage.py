"""Whether the token store and its key can be used, and by whom."""

from __future__ import annotations

import os
import shlex
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_tiktok_auth.doctor.findings import Finding, from_error
from tap_tiktok_auth.errors import TikTokAuthError
from tap_tiktok_auth.store import (
    empty_store,
    is_postgres,
    keys,
    missing_file,
    open_store,
    recovery,
    sqlite_path,
)
from tap_tiktok_auth.store.keys import Cipher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_tiktok_auth.config.models import Config
    from tap_tiktok_auth.store import Store

_CHECK = "store"
_OTHERS = 0o077
#: Seconds by which two clocks may differ before it is worth a word.
CLOCK_TOLERANCE = 60.0


@contextmanager
def opened(config: Config, found: Callable[[Finding], None]) -> Iterator[Store | None]:
    """Open the store as a run would, but do not make one; None if it cannot be used.

    Where there is none yet, an empty one shows what the config names.

    Args:
        config: The settings.
        found: Gets the findings on the way.
    """
    try:
        store = _open(config, found)
    except TikTokAuthError as error:
        found(from_error(_CHECK, error))
        store = None
    try:
        yield store
    finally:
        if store is not None:
            store.close()


def _open(config: Config, found: Callable[[Finding], None]) -> Store | None:
    if config.token_store_key is not None:
        Cipher.from_text(config.token_store_key)
    path = missing_file(config.token_store)
    if path is not None:
        found(_no_store_yet(path))
        return empty_store()
    return open_store(config.token_store, config.token_store_key)


def _no_store_yet(path: Path) -> Finding:
    folder = next(parent for parent in path.parents if parent.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return Finding(_CHECK, "info", f"there is no token store yet; {path} is made when needed")
    return Finding(
        _CHECK,
        "problem",
        f"the token store {path} cannot be made: {folder} cannot be written to",
        f"Check its permissions: ls -ld {shlex.quote(str(folder))}",
    )


def check_store(store: Store, clock: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Look at an open store.

    Args:
        store: The store, whose key fits.
        clock: This machine's clock, seconds since the epoch.
    """
    try:
        store.check_writable()
    except TikTokAuthError as error:
        yield from_error(_CHECK, error)
    else:
        yield Finding(_CHECK, "ok", f"{store.location} can be written to, and its key fits")
        for exposure, mend in store.exposures():
            yield Finding(_CHECK, "warning", exposure, mend)
    skew = store.now() - clock()
    if abs(skew) > CLOCK_TOLERANCE:
        yield Finding(
            "clock",
            "warning",
            f"this machine's clock is {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} "
            "the token store's",
            "Let both machines set their clocks by NTP.",
        )
    yield from _check_recovery(store)


def _check_recovery(store: Store) -> Iterator[Finding]:
    """Look for tokens that a store which failed could not take, as far as they are this store's."""
    for folder in recovery.folders(store):
        files = [file for file in folder.glob("*.recovery") if _opens(store, file)]
        waits = "1 new token waits" if len(files) == 1 else f"{len(files)} new tokens wait"
        if files:
            yield Finding(
                _CHECK,
                "warning",
                f"{waits} in {folder}, because the store failed when TikTok answered",
                "Take in what waits: tiktok-auth status",
            )


def _opens(store: Store, file: Path) -> bool:
    """Whether a file is a sealed one of this store; one of the folders is open to all users."""
    if not file.is_file():
        return False
    try:
        store.cipher.open(file.read_text(), recovery=store.location)
    except (TikTokAuthError, OSError, ValueError):
        return False
    return True


def check_modes(config: Config) -> Iterator[Finding]:
    """Look at who else may read the files and folders of store and key."""
    places: list[Path] = []
    try:
        if not is_postgres(config.token_store):
            path = sqlite_path(config.token_store)
            # The log holds the same secrets as the file, before they are moved there.
            places += [path.with_name(path.name + end) for end in ("-wal", "-shm")]
            if _is_its_own(path):
                places.append(path.parent)
            else:
                yield from _check_shared_folder(path)
            if config.token_store_key is None:
                places.append(keys.default_key_file().parent)
    except TikTokAuthError:
        return  # told already
    for place in places:
        try:
            mode = place.stat().st_mode
        except OSError:
            continue  # there is none, or it was told already
        if mode & _OTHERS:
            wanted = "700" if place.is_dir() else "600"
            yield Finding(
                "files",
                "warning",
                f"{place} is open to other users (mode {mode & 0o777:o})",
                f"chmod {wanted} {shlex.quote(str(place))}",
            )


def _is_its_own(path: Path) -> bool:
    """Whether the folder of a store is there for the store alone, so that its mode may change."""
    try:
        status, entries = path.parent.stat(), [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return False
    ours = all(name.lstrip(".").startswith((path.stem, "recovery")) for name in entries)
    return ours and status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX


def _check_shared_folder(path: Path) -> Iterator[Finding]:
    """Warn of a folder in which others may put files beside the store, or take it away."""
    try:
        mode = path.parent.stat().st_mode
    except OSError:
        return  # there is none
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        wanted = path.parent / "tap-tiktok-auth" / path.name
        yield Finding(
            "files",
            "warning",
            f"the token store is in {path.parent}, where other users may write",
            "Give it a folder of its own: stop all runs, run: tiktok-auth store copy "
            f"{shlex.quote(f'sqlite:///{wanted}')}, and set token_store to that.",
        )
