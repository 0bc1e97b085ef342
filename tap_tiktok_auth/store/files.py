"""Files and folders for one user's eyes only."""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import ConfigurationError, StoreUnavailable
from tap_tiktok_auth.process import held_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def private_folder(folder: Path) -> Path:
    """Create *folder*, mode 0700, with its parents; leave one that exists as it is.

    Raises:
        StoreUnavailable: It cannot be created.
    """
    try:
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise cannot("create the folder", folder, error) from None
    return folder


def exists(path: Path) -> bool:
    """Whether there is anything at *path*.

    Raises:
        StoreUnavailable: It cannot be known.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise cannot("read", path, error) from None
    return True


def refuse_if_shared(path: Path, what: str) -> None:
    """Refuse a file that others may read or write, own, or put another one in place of.

    Raises:
        StoreUnavailable: They may; the message has the command that mends it.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise StoreUnavailable(
                f"{what} {path} is a link to a file that is not there",
                next_step=f"Restore the file, or remove the link: rm {shlex.quote(str(path))}",
            ) from None
        return
    except OSError as error:
        raise cannot("read", path, error) from None
    if not stat.S_ISREG(mode):
        raise StoreUnavailable(f"{what} {path} is not a file")
    if os.name == "posix" and mode & _OTHERS:
        raise StoreUnavailable(
            f"{what} {path} is open to other users",
            next_step=f"Run: chmod 600 {shlex.quote(str(path))}",
        )
    refuse_if_foreign(path, what)
    for folder in dict.fromkeys((*path.absolute().parents, *path.resolve().parents)):
        if folder.stat().st_mode & stat.S_IWOTH:
            _refuse_open_folder(folder, path, what)


def refuse_if_foreign(path: Path, what: str) -> None:
    """Refuse a file, or a link to one, that belongs to another user, unless that is root.

    Raises:
        StoreUnavailable: It does; the message has the command that mends it.
    """
    try:
        owners = {path.lstat().st_uid, path.stat().st_uid}
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot("read", path, error) from None
    for owner in owners - _trusted():
        raise StoreUnavailable(
            f"{what} {path} belongs to another user, number {owner}",
            next_step=f"If nobody else wrote it, run as root: chown {os.geteuid()} "
            f"{shlex.quote(str(path))}",
        )


def _trusted() -> set[int]:
    """Return whose files are as good as ours."""
    return {0, os.geteuid()}


def _refuse_open_folder(folder: Path, path: Path, what: str) -> None:
    """Refuse another user's folder to which everybody may write, and what others made in it.

    Whoever replaces a file of ours there cannot make it belong to us, so it is refused then. Some
    volumes of containers are open to everybody and cannot be closed; the doctor warns of them.
    """
    refuse_if_foreign(folder, "the folder")
    for whole in (path.absolute(), path.resolve()):
        if folder in whole.parents:
            below = folder / whole.relative_to(folder).parts[0]
            refuse_if_foreign(below, "the folder" if below != whole else what)


def create_once(path: Path, content: bytes) -> bool:
    """Create a file, mode 0600, whole or not at all; False if it exists already.

    Raises:
        StoreUnavailable: It cannot be written.
    """
    return _write(path, content, os.link)


def replace(path: Path, content: bytes) -> None:
    """Replace a file's content, mode 0600, whole or not at all.

    Raises:
        StoreUnavailable: It cannot be written.
    """
    _write(path, content, os.replace)


def absolute(path: Path, setting: str) -> Path:
    """Return a path in the user's folders; without a home it would be in the working folder.

    Raises:
        ConfigurationError: It is relative.
    """
    if not path.is_absolute():
        raise ConfigurationError(
            f"setting {setting} is missing, and this user has no home folder for a default",
            next_step=f"Set {setting}, or the variable HOME.",
        )
    return path


def _write(path: Path, content: bytes, publish: Callable[[str, Path], None]) -> bool:
    import tempfile  # noqa: PLC0415  (not for a file that is there)

    private_folder(path.parent)
    temporary = None
    try:
        # mkstemp gives mode 0600; the content is on disk before the name appears.
        with held_off():
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        publish(temporary, path)
        sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise cannot("write", path, error) from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return True


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes out that change files of this folder in the same way.

    Raises:
        StoreUnavailable: The folder cannot be opened.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise cannot("open", folder, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot(do: str, path: Path, error: OSError) -> StoreUnavailable:
    """Return the error that something could not be done with *path*."""
    why = error.strerror or type(error).__name__
    return StoreUnavailable(
        f"cannot {do} {path}: {why}", next_step="Check the disk and the permissions."
    )
