"""The server's clock as read from here, with an injected local one."""

from __future__ import annotations

import pytest

from tap_tiktok_auth.store import database
from tap_tiktok_auth.store.database import MEASURE_EVERY, ServerClock


class Steady:
    """A steady clock that the test moves.

    Args:
        monkeypatch: Puts it in the place of the real one.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 100.0
        monkeypatch.setattr(database, "steady", lambda: self.seconds)

    def ask(self, told: float, *, travel: float) -> float:
        """Answer like a server that is asked over a line on which a round trip takes *travel*."""
        self.seconds += travel
        return told


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Steady:
    """Return a steady clock at 100 seconds."""
    return Steady(monkeypatch)


def test_an_answer_counts_for_the_middle(steady: Steady) -> None:
    """The server's time is taken as that of the middle of the round trip."""
    clock = ServerClock()
    clock.measure(lambda: steady.ask(5_000.0, travel=2.0))
    assert clock.now() == 5_001.0


def test_time_goes_on_without_asking(steady: Steady) -> None:
    """Between two measurements the local steady clock counts."""
    clock = ServerClock()
    clock.measure(lambda: steady.ask(5_000.0, travel=0.0))
    steady.seconds += 30.5
    assert clock.now() == 5_030.5


def test_it_is_measured_again(steady: Steady) -> None:
    """A measurement is due at first and once a minute, and corrects a drift."""
    clock = ServerClock()
    due = [clock.due]
    clock.measure(lambda: steady.ask(5_000.0, travel=0.0))
    due.append(clock.due)
    steady.seconds += MEASURE_EVERY + 1
    due.append(clock.due)
    clock.measure(lambda: steady.ask(5_070.0, travel=0.0))
    due.append(clock.due)
    assert due == [True, False, True, False]
    assert clock.now() == 5_070.0


def test_the_steady_clock_only_grows() -> None:
    """The real steady clock never goes back."""
    readings = [database.steady() for _ in range(100)]
    assert readings == sorted(readings)
