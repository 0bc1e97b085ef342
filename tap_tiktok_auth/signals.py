"""Waiting with SIGTERM and SIGINT until what was begun is safe."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)


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
    for number, handler in held.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        stop.clear()
        for number in dict.fromkeys(arrived):
            signal.raise_signal(number)
