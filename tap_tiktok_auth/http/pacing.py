"""Keeping under TikTok's limit of requests per second, app by app."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: The share of the limit that is used: requests sent evenly arrive less evenly, and TikTok counts
#: arrivals.
USED_SHARE = 0.97


class Pacer:
    """Gives each app's requests their time, evenly spaced.

    Even spacing rather than bursts: a bucket that lets a full second's worth through at once can
    put twice the limit into one second of TikTok's clock.

    Args:
        per_second: TikTok's limit of requests per second for one app.
        clock: Returns seconds; monotonic.
    """

    def __init__(self, per_second: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / (per_second * USED_SHARE)
        self._clock = clock
        self._lock = threading.Lock()
        self._next_at: dict[str, float] = {}

    def reserve(self, app_id: str) -> float:
        """Reserve the next free moment for a request of an app.

        Returns:
            Seconds to wait until then.
        """
        with self._lock:
            now = self._clock()
            at = max(now, self._next_at.get(app_id, now))
            self._next_at[app_id] = at + self._interval
            return at - now
