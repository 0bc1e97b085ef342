"""Files and folders for one user's eyes only.

What the system does not let us do with them is raised as StoreUnavailable, which names the path.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tap_tiktok_auth.errors import ConfigurationError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def user_file(kind: Literal["config", "data"], name: str, setting: str) -> Path:
    """Return the default place of a file in the user's folder of that kind.

    Raises:
        ConfigurationError: The user has no home; the file would be in the working folder.
    """
    import platformdirs  # noqa: PLC0415  (2 ms; not where the settings give the place)

    locate = {"config": platformdirs.user_config_dir, "data": platformdirs.user_data_dir}[kind]
    folder = Path(locate("tap-tiktok-auth"))
    if not folder.is_absolute():
        raise ConfigurationError(
            f"setting {setting} is missing, and this user has no home folder for a default",
            next_step=f"Set {setting}, or the variable HOME.",
        )
    return folder / name


@contextmanager
def errors(do: str, path: Path) -> Iterator[None]:
    """Raise an OSError of the block as StoreUnavailable."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StoreUnavailable(
            f"cannot {do} {path}: {why}", next_step="Check the disk and the permissions."
        ) from None


def private_folder(folder: Path) -> None:
    """Create *folder*, mode 0700, with its parents; leave one that exists as it is."""
    with errors("create the folder", folder):
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)


def exists(path: Path) -> bool:
    """Whether there is anything at *path*."""
    with errors("read", path):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


# What others may read, or may have written


def refuse_if_shared(path: Path, what: str) -> None:
    """Refuse a file that others may read or write, own, or put another one in place of.

    Raises:
        StoreUnavailable: They may; the message has the command that fixes it.
    """
    with errors("read", path):
        try:
            mode = path.stat().st_mode
        except FileNotFoundError:
            if not path.is_symlink():
                return
            raise StoreUnavailable(
                f"{what} {path} is a link to a file that is not there",
                next_step=f"Restore the file, or remove the link: rm {shlex.quote(str(path))}",
            ) from None
    if not stat.S_ISREG(mode):
        raise StoreUnavailable(f"{what} {path} is not a file")
    if mode & _OTHERS:
        raise StoreUnavailable(
            f"{what} {path} is open to other users",
            next_step=f"Run: chmod 600 {shlex.quote(str(path))}",
        )
    refuse_if_foreign(path, what)
    # In a folder to which everybody may write, whoever replaces a file of ours cannot make it
    # belong to us, so it is refused then. Some volumes of containers are open to everybody and
    # cannot be closed; the doctor warns of them.
    places = path.absolute(), path.resolve()
    for folder in dict.fromkeys(parent for place in places for parent in place.parents):
        if folder.stat().st_mode & stat.S_IWOTH:
            refuse_if_foreign(folder, "the folder")
            for place in places:
                if folder in place.parents:
                    below = folder / place.relative_to(folder).parts[0]
                    refuse_if_foreign(below, "the folder" if below != place else what)


def refuse_if_foreign(path: Path, what: str) -> None:
    """Refuse a file, or a link to one, that belongs to another user, unless that is root.

    Raises:
        StoreUnavailable: It does; the message has the command that fixes it.
    """
    with errors("read", path):
        try:
            owners = {path.lstat().st_uid, path.stat().st_uid}
        except FileNotFoundError:
            return
    for owner in owners - {0, os.geteuid()}:
        raise StoreUnavailable(
            f"{what} {path} belongs to another user, number {owner}",
            next_step=f"If nobody else wrote it, run as root: chown {os.geteuid()} "
            f"{shlex.quote(str(path))}",
        )


# Writing


def create_once(path: Path, content: bytes) -> bool:
    """Create a file, mode 0600, whole or not at all; False if it exists already."""
    return _write(path, content, os.link)


def replace(path: Path, content: bytes) -> None:
    """Replace a file's content, mode 0600, whole or not at all."""
    _write(path, content, os.replace)


def _write(path: Path, content: bytes, publish: Callable[[Path, Path], None]) -> bool:
    private_folder(path.parent)
    with errors("write", path):
        # The content is on disk before the name appears.
        handle, temporary = new_file(path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            publish(temporary, path)
            sync_folder(path.parent)
        except FileExistsError:
            return False
        finally:
            temporary.unlink(missing_ok=True)
    return True


def new_file(folder: Path) -> tuple[int, Path]:
    """Make a file that only its owner reads, with a name of its own; return its handle, too."""
    path = folder / f".{os.urandom(12).hex()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600), path


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep out other processes that change files of this folder in the same way."""
    with errors("open", folder):
        handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
