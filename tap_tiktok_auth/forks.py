"""What must not be shared with a forked child: locks, sockets, database files.

Web servers and task queues fork programs that have a token store open already.
"""

from __future__ import annotations

import os
import threading
from weakref import WeakSet


class Forkable:
    """Something that does what it must when its process forks, from `follow_forks` on.

    A program that is started by `subprocess` is not meant: it shares nothing.
    """

    def follow_forks(self) -> None:
        """Begin to do what forks ask for."""
        _following.add(self)

    def leave_forks(self) -> None:
        """Let forks pass unnoticed."""
        _following.discard(self)

    def before_fork(self) -> None:
        """Called in the parent right before."""

    def after_fork_in_parent(self) -> None:
        """Called in the parent right after."""

    def after_fork_in_child(self) -> None:
        """Called in the child before anything else runs there; it has this one thread only."""


_following: WeakSet[Forkable] = WeakSet()
_of_thread = threading.local()


def _before() -> None:
    # Who comes meanwhile, in another thread, is not asked afterwards what it was not told before.
    _of_thread.told = list(_following)
    for one in _of_thread.told:
        one.before_fork()


def _after_in_parent() -> None:
    for one in _of_thread.told:
        one.after_fork_in_parent()
    _of_thread.told = []


def _after_in_child() -> None:
    for one in _of_thread.told:
        one.after_fork_in_child()
    _of_thread.told = []


if hasattr(os, "register_at_fork"):  # not where there is no fork
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
