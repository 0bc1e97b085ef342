"""The simulator's own time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """A clock that can be moved forward, so that nobody waits for a token to expire.

    Args:
        base: Returns epoch seconds; the clock runs as this one does.
    """

    def __init__(self, base: Callable[[], float]) -> None:
        self._base = base
        self._ahead = 0.0

    def now(self) -> float:
        """Return the simulated time in epoch seconds."""
        return self._base() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: If *seconds* is negative.
        """
        if seconds < 0:
            raise ValueError("the simulated clock only moves forward")
        self._ahead += seconds
