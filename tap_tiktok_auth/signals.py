"""Waiting with SIGTERM and SIGINT until what was begun is safe."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)

#: The handlers that each deferral of this process puts back, the outermost first.
_former: list[dict[int, Any]] = []


@contextmanager
def deferred(stop: threading.Event) -> Iterator[None]:
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
