"""Recovery files: TikTok's answers, sealed on this machine's disk until the store has them.

An answer is written here before it is committed, because a store may fail, or be silent for
minutes, while this process is told to end. The commit deletes the file. What is left of a process
that had no time for that is taken in by the next one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import platformdirs

from tap_tiktok_auth.credentials.models import AdvertiserListing, Event, TokenRequestMark
from tap_tiktok_auth.errors import (
    StoreDamaged,
    StoreError,
    StoreKeyError,
    StoreTooNew,
    StoreUnavailable,
    TikTokAuthError,
)
from tap_tiktok_auth.process import held_off
from tap_tiktok_auth.store import files, rows, sqlite_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tap_tiktok_auth.store.contract import Store

log = logging.getLogger(__name__)

_SUFFIX = ".recovery"
#: Of the files' content: a newer one is left for the program that wrote it.
_VERSION = 2
#: Bytes that a file has at most; ours have a few thousand.
_LARGEST = 1_000_000

#: Files of which this process has said why they stay: every look finds them again.
_told: set[Path] = set()


def folders(store: Store) -> Iterator[Path]:
    """Return the folders for recovery files, the best first.

    Beside a SQLite store, then in the user's state folder, then in the folder for temporary
    files: whatever failed at the first may work at the next.
    """
    if store.location.startswith("sqlite:"):
        yield sqlite_path(store.location).parent / "recovery"
    temporary = None
    # For a forked child, another thread's search would never end.
    with held_off(), suppress(FileNotFoundError):  # no such folder can be written to
        temporary = Path(tempfile.gettempdir())
    state = Path(platformdirs.user_state_dir("tap-tiktok-auth"))
    if state.is_absolute():  # else this user has no home, and the working folder is not one
        yield state / "recovery"
    if temporary is not None:
        yield temporary / f"tap-tiktok-auth-{os.getuid()}"


@dataclass(frozen=True)
class Answer:
    """A connection that TikTok's answer changed, with all that its commit needs.

    Attributes:
        stored: What to store.
        before: What it was made from, as far as a commit compares it.
        holder: Whose lease ends with it.
        follows: Fingerprint of the access token that it replaces.
        events: What to note in the audit trail.
        sighting: Ad accounts that the answer named.
    """

    stored: StoredConnection
    before: StoredConnection | None
    holder: str | None = None
    follows: str | None = None
    events: tuple[Event, ...] = ()
    sighting: AdvertiserListing | None = None

    @property
    def generation(self) -> int:
        """The generation that the store must have for it."""
        return self.before.generation if self.before else self.stored.generation - 1

    def commit(self, store: Store, *, patience: float | None = None) -> bool:
        """Commit it; return whether the store has it now."""
        return store.commit(
            self.stored,
            self.holder,
            before=self.before,
            events=self.events,
            sighting=self.sighting,
            patience=patience,
        )


@contextmanager
def kept(store: Store, answer: Answer) -> Iterator[Path | None]:
    """Keep an answer in a file during the block, which commits it.

    The file is deleted at the end of the block. An error in it leaves the file to the next look,
    of this process or another. None if no folder takes a file: the commit is the only way then.
    """
    file, handle = _write(store, answer)
    try:
        yield file
        if file is not None:
            _delete(file)
    finally:
        if handle is not None:
            _unlock(handle)


def _write(store: Store, answer: Answer) -> tuple[Path | None, int | None]:
    stored, sighting = answer.stored, answer.sighting
    mark = answer.before.attempt if answer.before else None
    payload = {
        "recovery": store.location,
        "version": _VERSION,
        "before": {
            "generation": answer.generation,
            "mark": [mark.key, mark.at, mark.outcome] if mark else None,
        },
        "holder": answer.holder,
        "follows": answer.follows,
        "columns": rows.to_columns(stored, store.cipher, store.cipher.primary, store.fingerprint),
        "events": answer.events,
        "sighting": asdict(sighting) if sighting else None,
    }
    sealed = store.cipher.seal(payload).encode()
    name = f"{_beginning(stored.name)}{stored.generation}-{time.time_ns()}{_SUFFIX}"
    for folder in folders(store):
        try:
            files.private_folder(folder)
            if _is_ours(folder):
                return folder / name, _publish(folder / name, sealed)
        except (OSError, StoreUnavailable) as error:
            log.info("%s", error)
    return None, None


def _publish(file: Path, content: bytes) -> int:
    """Create a file whole, on disk and locked; return the handle that holds the lock.

    The lock tells others that this process lives and is about to commit the file itself. The
    system ends it together with the process.
    """
    handle, temporary = files.new_file(file.parent)
    try:
        with suppress(OSError):  # not every network file system has locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        with os.fdopen(handle, "wb", closefd=False) as opened:
            opened.write(content)
        os.fsync(handle)
        temporary.rename(file)
        files.sync_folder(file.parent)
    except BaseException:
        _delete(temporary)
        _unlock(handle)
        raise
    return handle


def _unlock(handle: int) -> None:
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_UN)  # a forked child may have the handle, too
    os.close(handle)


def take_in(
    store: Store, end: Callable[[StoredConnection], None] | None = None, *, name: str | None = None
) -> int:
    """Store what is left in files, and delete the files.

    Files that are not this store's, or that its key does not open, stay where they are, and so do
    those that a living process is about to commit. One that cannot be taken in keeps no other from
    it.

    Args:
        store: The store.
        name: A connection that nobody holds the lease of: its files are taken in also from a
            process that lives, because it was paused for longer than its lease.
        end: Ends, at TikTok, the token of a stored whose connection was revoked meanwhile.

    Returns:
        How many answers were saved.

    Raises:
        StoreUnavailable: The store does not answer.
    """
    saved = 0
    # In the order in which TikTok gave the tokens, wherever they are.
    for file, answer in sorted(_left(store, name), key=lambda one: one[1].stored.generation):
        try:
            taken = _settle(store, file, answer, end)
        except StoreUnavailable:
            raise
        except TikTokAuthError as error:
            _say(file, f"the recovery file {file} is not taken in: {error}")
            continue
        saved += taken
    return saved


def forget(store: Store, name: str) -> None:
    """Delete all files of a connection, so that nothing brings it back."""
    for file, answer in list(_left(store, name)):
        if answer.stored.name == name:
            _delete(file)


def _delete(file: Path) -> None:
    with suppress(OSError):  # the next look tries again
        file.unlink(missing_ok=True)


def _settle(
    store: Store, file: Path, answer: Answer, end: Callable[[StoredConnection], None] | None
) -> bool:
    """Take a file in, delete it or leave it; return whether it was taken in."""
    stored, current = answer.stored, store.read(answer.stored.name)
    if stored.token is not None and current is not None and current.status == "revoked":
        if end is None:
            return False
        end(stored)
        _delete(file)
        return False
    fitting = _fitting(store, answer, current)
    if fitting is not None:
        if not fitting.commit(store):
            return False  # the row is changing right now: the next look sees what it has become
        log.warning("connection %s: took in TikTok's answer kept in %s", stored.name, file)
    _delete(file)
    return fitting is not None


def _fitting(store: Store, answer: Answer, current: StoredConnection | None) -> Answer | None:
    """Return an answer as it fits what is stored; None if nobody needs it any more.

    Raises:
        StoreError: The store is behind, and it is not known which of two tokens is alive.
    """
    stored, before, generation = answer.stored, answer.before, answer.generation
    token = stored.token
    if current is None:
        # Not forgotten, which deletes the files: the store was lost, or an old one is back.
        anew = replace(answer, stored=replace(stored, generation=1), before=None)
        return None if token is None else anew
    if current.generation == generation:
        if stored.generation == generation:  # a refusal: is it the request that is still marked?
            return answer if before and before.attempt == current.attempt else None
        there = store.fingerprint(current.token.access_token) if current.token else None
        follows = None in {answer.follows, there} or there == answer.follows
        return answer if follows else None
    if current.generation > generation or token is None:
        return None
    # A backup was restored: of two tokens of one chain the younger one is alive.
    if current.token is not None and (
        (current.app_id, current.seed_hash) != (stored.app_id, stored.seed_hash)
        or current.token.issued_at >= token.issued_at
    ):
        raise StoreError("the token store is at an older state, with other tokens")
    return replace(
        answer, stored=replace(stored, generation=current.generation + 1), before=current
    )


def _left(store: Store, name: str | None) -> Iterator[tuple[Path, Answer]]:
    """Return the files of this store that nobody is about to commit, and those of one name."""
    for folder in folders(store):
        with suppress(OSError):
            if not _is_ours(folder):
                continue
            for file in folder.glob(f"*{_SUFFIX}"):
                wanted = name is not None and file.name.startswith(_beginning(name))
                answer = _readable(store, file, even_locked=wanted)
                if answer is not None:
                    yield file, answer


def _beginning(name: str) -> str:
    """Return how the names of a connection's files begin; whatever its name, they are names."""
    return quote(name, safe="")[:100] + "-"


def _readable(store: Store, file: Path, *, even_locked: bool) -> Answer | None:
    level = logging.WARNING
    try:
        return _read(store, file, even_locked=even_locked)
    except (BlockingIOError, FileNotFoundError):
        return None  # someone is about to commit it, or has
    except StoreKeyError:
        why = f"the key of the token kept in {file} is not there; put it behind the others"
    except StoreTooNew as error:
        why = str(error)
    except _OfAnotherStore as other:
        level, why = logging.INFO, f"{file} keeps a token for another token store, {other}"
    except (TikTokAuthError, OSError, ValueError, LookupError, TypeError, AttributeError):
        why = f"the recovery file {file} cannot be read and is left as it is"
    _say(file, why, level)
    return None


def _say(file: Path, why: str, level: int = logging.WARNING) -> None:
    if file not in _told:
        _told.add(file)
        log.log(level, "%s", why)


class _OfAnotherStore(Exception):
    """A file belongs to another store, whose key is the same."""


def _read(store: Store, file: Path, *, even_locked: bool) -> Answer:
    payload = store.cipher.open(_content(file, even_locked=even_locked))
    if payload["recovery"] != store.location:
        raise _OfAnotherStore(payload["recovery"])
    if payload.get("version", 1) > _VERSION:
        raise StoreTooNew(
            f"the recovery file {file} was made by a newer tap-tiktok-auth",
            next_step="Upgrade this installation: pip install --upgrade tap-tiktok-auth",
        )
    # The table may have got columns since.
    columns = dict.fromkeys(rows.COLUMNS) | payload["columns"]
    stored = rows.to_stored(columns, store.cipher)
    # Version 1 does not tell what the stored was made from.
    before = payload.get("before") or {"generation": stored.generation - 1, "mark": None}
    mark, sighting = before["mark"], payload.get("sighting")
    return Answer(
        stored=stored,
        before=replace(
            stored,
            generation=before["generation"],
            attempt=TokenRequestMark(*mark) if mark else None,
        ),
        holder=payload.get("holder"),
        follows=payload.get("follows"),
        events=tuple(Event(*event) for event in payload.get("events", ())),
        sighting=AdvertiserListing(**sighting) if sighting else None,
    )


def _content(file: Path, *, even_locked: bool) -> str:
    """Return what is in a file.

    Raises:
        BlockingIOError: A living process is about to commit it.
    """
    # Neither a pipe, which would be waited for, nor a link is a file of ours.
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as opened:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise StoreDamaged("not a recovery file")
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:  # not every network file system has locks
            if isinstance(error, BlockingIOError) and not even_locked:
                raise
        return opened.read(_LARGEST).decode()


def _is_ours(folder: Path) -> bool:
    """Whether the folder is a real one of this user's: others may write to its parent."""
    status = folder.lstat()
    return (
        stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    )
