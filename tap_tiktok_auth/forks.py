"""What must not be shared with a forked child: locks, sockets, database files.

Web servers and task queues fork programs that have a token store open already, at any moment of
what their other threads do.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator


class Forkable:
    """Something that does what it must when its process forks, from `follow_forks` on.

    A program that is started by `subprocess` is not meant: it shares nothing.
    """

    def follow_forks(self) -> None:
        """Begin to do what forks ask for."""
        with held_off():
            _following.add(self)

    def leave_forks(self) -> None:
        """Let forks pass unnoticed."""
        with held_off():
            _following.discard(self)

    def before_fork(self) -> None:
        """Called in the parent right before."""

    def after_fork_in_parent(self) -> None:
        """Called in the parent right after."""

    def after_fork_in_child(self) -> None:
        """Called in the child before anything else runs there; it has this one thread only."""


class Lock(Forkable):
    """A lock that is free in a forked child, whichever of its parent's threads held it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.follow_forks()

    def after_fork_in_child(self) -> None:
        """Have a lock that no thread of the parent holds."""
        self._lock = threading.Lock()

    @contextmanager
    def held(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold the lock during the block; without *wait* only if it is free, and say whether."""
        lock = self._lock
        held = lock.acquire(blocking=wait)
        try:
            yield held
        finally:
            if held:
                lock.release()


_following: WeakSet[Forkable] = WeakSet()
_told: list[Forkable] = []
_lock = threading.RLock()


@contextmanager
def held_off() -> Iterator[None]:
    """Let no fork of another thread happen during the block.

    In its child, whatever that thread held or had begun would stay so for ever.
    """
    with _lock:
        yield


def _before() -> None:
    # Held until after the fork: nobody comes or goes between being told and being told again.
    _lock.acquire()
    for one in list(_following):
        one.before_fork()
        _told.append(one)


def _after_in_parent() -> None:
    try:
        for one in _told:
            one.after_fork_in_parent()
    finally:
        _told.clear()
        _lock.release()


def _after_in_child() -> None:
    global _lock  # noqa: PLW0603  (the parent's may be waited for by threads that are not here)
    _lock = threading.RLock()
    for one in _told:
        one.after_fork_in_child()
    _told.clear()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
