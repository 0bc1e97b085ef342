"""Who holds a lease: recognised across machines, kept alive, and known to be dead."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import Interrupted, StoreError, TryAgainLater
from tap_tiktok_auth.process import Forkable, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.store.contract import Store

#: Seconds that a lease outlives the longest request, so that it cannot end while one is under way
#: even if it could not be renewed.
GRACE = 60.0
#: A lease that was taken or renewed within so many seconds need not be renewed before a request.
RECENT = GRACE / 2


class Leases(Forkable):
    """The leases that this process holds.

    Args:
        store: Where the leases are.
        request_timeout: Seconds that one request may take.
    """

    _held: dict[str, str]
    _renewed_at: dict[str, _Moment]
    _heart: threading.Thread | None

    def __init__(self, store: Store, request_timeout: float) -> None:
        self.ttl = request_timeout + GRACE
        self._store = store
        self._begin()
        self.follow_forks()

    def new_holder(self) -> str:
        """Return a name for the holder of one lease, of which this process can be told again."""
        return f"{self._here}:{uuid.uuid4().hex}/{self.ttl:g}"

    @contextmanager
    def kept(self, name: str, holder: str) -> Iterator[None]:
        """Renew the lease of a connection from time to time during the block."""
        with self._lock:
            self._held[holder] = name
            self._renewed_at[holder] = _Moment()
            if self._heart is None:
                self._heart = threading.Thread(
                    target=self._beat, name="tiktok-auth leases", daemon=True
                )
                self._heart.start()
        try:
            yield
        finally:
            with self._lock:
                del self._held[holder], self._renewed_at[holder]

    def confirm(self, name: str, holder: str) -> None:
        """Make sure, right before a request is sent under a lease, that the lease outlives it.

        Raises:
            TryAgainLater: The lease is not ours any more, so nothing may be sent.
            StoreError: The store does not answer, so nothing may be sent.
        """
        now = _Moment()
        if now.since(self._renewed_at[holder]) < RECENT:
            return
        if not self._store.renew(name, holder, self.ttl):
            raise TryAgainLater("another process took over", next_step="Run again.")
        self._renewed_at[holder] = now

    def after_fork_in_child(self) -> None:
        """Begin anew: the child has neither its parent's leases nor the thread that keeps them."""
        self._begin()

    def _begin(self) -> None:
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._held, self._renewed_at, self._heart = {}, {}, None
        self._here = _this_process()

    def _beat(self) -> None:
        while True:
            self._wake.wait(self.ttl / 3)
            with self._lock:
                held = list(self._held.items())
                if not held:
                    self._heart = None
                    return
            for holder, name in held:
                try:
                    self._store.renew(name, holder, self.ttl)
                except StoreError:
                    continue  # the next beat may reach it; `confirm` guards what is sent


class _Moment:
    """A moment by two clocks: one does not jump, the other goes on while the machine sleeps."""

    def __init__(self) -> None:
        self._steady, self._wall = time.monotonic(), time.time()

    def since(self, earlier: _Moment) -> float:
        """Return the seconds since another moment, by the clock that counts more."""
        return max(self._steady - earlier._steady, abs(self._wall - earlier._wall))


def machine() -> str:
    """Return what tells this machine, or this container, from all others.

    Two containers on one machine see different processes, so a process id means something only
    together with the process namespace.
    """
    parts = [os.uname().nodename]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            parts.append(str(Path(path).readlink()) if "ns" in path else Path(path).read_text())
        except OSError:
            parts.append(str(uuid.getnode()))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def started_at(pid: int) -> str:
    """Return when a process started, as the kernel counts; empty where that cannot be known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The second field is the command in parentheses and may contain anything.
    return stat.rpartition(")")[2].split()[19]


def _this_process() -> str:
    pid = os.getpid()
    return f"{machine()}:{pid}:{started_at(pid)}"


def is_dead(holder: str) -> bool:
    """Whether the process that holds a lease ran on this machine and is gone."""
    try:
        where, pid_text, started, _ = holder.split(":")
        pid = int(pid_text)
    except ValueError:
        return False
    if where != machine() or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return started not in {"", started_at(pid)}


class Patience:
    """Waiting for the holder of a lease.

    Args:
        stop: Ends the wait when the process was told to stop.
    """

    _FIRST, _LONGEST = 0.02, 0.25

    def __init__(self, stop: Stop) -> None:
        self._waited = 0.0
        self._stop = stop
        self._next = self._FIRST

    def wait(self, seconds: float) -> bool:
        """Wait a little, longer each time.

        Args:
            seconds: How long to wait in all.

        Returns:
            Whether there was patience left.

        Raises:
            Interrupted: The process was told to stop.
        """
        if self._waited >= seconds:
            return False
        if self._stop.wait(self._next):
            raise Interrupted("told to stop")
        self._waited += self._next
        self._next = min(self._next * 1.5, self._LONGEST)
        return True
