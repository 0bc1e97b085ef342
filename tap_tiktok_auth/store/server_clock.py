"""A server's clock, read from here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds after which the difference is measured again: clocks drift.
MEASURE_EVERY = 60.0


def steady() -> float:
    """Return seconds that nobody can set, and that go on while the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class ServerClock:
    """The time of a server, without asking it each time.

    What is kept is the difference between its clock and this machine's steady one, so that a jump
    of the local clock does nothing.
    """

    def __init__(self) -> None:
        self._difference = 0.0
        self._measured: float | None = None

    @property
    def due(self) -> bool:
        """Whether it is time to measure the difference."""
        return self._measured is None or steady() - self._measured > MEASURE_EVERY

    def now(self) -> float:
        """Return seconds since the epoch by the server's clock."""
        return steady() + self._difference

    def measure(self, ask: Callable[[], float]) -> None:
        """Measure the difference; the answer counts for the middle of the round trip."""
        before = steady()
        told = ask()
        after = steady()
        self._difference = told - (before + after) / 2
        self._measured = after
