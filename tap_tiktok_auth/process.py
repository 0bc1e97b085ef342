"""The process: what must not be shared with a forked child, signals that must wait, its end.

Web servers and task queues fork programs that have a token store open already, at any moment of
what their other threads do.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

#: Exit code after Ctrl-C, as a shell has it.
EXIT_INTERRUPTED = 130


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


_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)

#: The handlers that each deferral of this process puts back, the outermost first.
_former: list[dict[int, Any]] = []


class Stop:
    """Set while the process is told to stop.

    It has no lock, as `threading.Event` has: a signal handler would wait for ever for one that its
    own thread holds.
    """

    _LONGEST_SLEEP = 0.05

    def __init__(self) -> None:
        self._is_set = False

    def is_set(self) -> bool:
        """Whether the process was told to stop."""
        return self._is_set

    def set(self) -> None:
        """Tell everybody to stop."""
        self._is_set = True

    def clear(self) -> None:
        """Let everybody go on."""
        self._is_set = False

    def wait(self, seconds: float) -> bool:
        """Wait for it to be set, so many seconds at most; return whether it is."""
        ends = time.monotonic() + seconds
        while not self._is_set and (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, self._LONGEST_SLEEP))
        return self._is_set


@contextmanager
def deferred(stop: Stop) -> Iterator[None]:
    """Hold back signals that end the process until the block is done.

    A signal that arrives sets *stop*, so that nothing new is begun and no wait goes on; it is
    delivered to whoever handled it before once the block has ended. Only the main thread can do
    that: elsewhere the block runs as it is, and Python's interpreter waits for it at its exit.

    Args:
        stop: Set by a signal; cleared again when the block has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        arrived.append(number)
        stop.set()

    former = {number: signal.getsignal(number) for number in _SIGNALS}
    # A handler that Python did not install cannot be put back, so it stays in place.
    held = {number: handler for number, handler in former.items() if handler is not None}
    _former.append(held)
    for number, handler in held.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if _former:  # not in a child that was forked meanwhile
            _former.pop()
        stop.clear()
        for number in dict.fromkeys(arrived):
            signal.raise_signal(number)


def _after_fork_in_child() -> None:
    """Let signals end a child that was forked, by another thread, while they were held back."""
    if _former:
        for number, handler in _former[0].items():
            signal.signal(number, handler)
        _former.clear()


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(after_in_child=_after_fork_in_child)


def describe(error: Exception) -> str:
    """Return a line about a failure that nothing expects, without its text: that may be secret."""
    if isinstance(error, OSError):
        try:
            sys.stdout.flush()
        except OSError:
            give_stdout_up()
    cause = f" ({os.strerror(error.errno)})" if isinstance(error, OSError) and error.errno else ""
    return (
        f"an unexpected {type(error).__name__}{cause}. See where with:"
        " TAP_TIKTOK_AUTH_LOGLEVEL=DEBUG"
    )


def is_closed_pipe(error: Exception) -> bool:
    """Whether nobody reads the output any more: click ends quietly then."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def give_stdout_up() -> None:
    """Let Python not complain about what it could not write once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
