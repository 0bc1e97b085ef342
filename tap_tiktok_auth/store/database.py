"""What differs between one SQL database and another, and the clock of a server."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tap_tiktok_auth.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

#: Seconds after which the difference to a server's clock is measured again: clocks drift.
MEASURE_EVERY = 60.0


class Cursor(Protocol):
    """The part of a database cursor that the store uses."""

    @property
    def rowcount(self) -> int:
        """Rows that the last statement touched."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> object:
        """Run a statement with `?` placeholders."""

    def executemany(self, statement: str, values: Sequence[Sequence[Any]]) -> object:
        """Run a statement once for each row of values."""

    def fetchone(self) -> Any:  # noqa: ANN401  (a row of any columns)
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the remaining rows."""


class Database(ABC):
    """A database that the store's portable SQL runs on.

    Statements use `?` placeholders. Errors of the driver become `StoreError`.
    """

    #: Column types that the schema is written in: a name for each abstract type.
    types: ClassVar[dict[str, str]]

    @property
    @abstractmethod
    def location(self) -> str:
        """Where it is, without any secret."""

    @abstractmethod
    def now(self) -> float:
        """Return seconds since the epoch by the clock that all users share."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Cursor]:
        """Open a transaction that reads."""

    @abstractmethod
    def writing(
        self, *, exclusive: bool = False, patience: float | None = None
    ) -> AbstractContextManager[Cursor]:
        """Open a transaction that writes, committed durably at its end, rolled back on an error.

        Args:
            exclusive: Keep all other writers out, where the database would let them in.
            patience: Seconds to wait for the database at most, also if the process is told to
                stop meanwhile; any other transaction ends soon then.
        """

    def exposures(self) -> Iterator[tuple[str, str]]:
        """Yield what lets others at the database, each with what to do about it."""
        return iter(())

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""


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
        self._measured = steady()
        self._difference = told - (before + self._measured) / 2


#: What a driver says, as a pattern, and what it means to the user: class, problem, next step.
Meanings = tuple[tuple[str, type[StoreError], str, str], ...]


def meaning(meanings: Meanings, said: str, location: object, fallback: str) -> StoreError:
    """Return the error that the user sees for what a driver said, which is not shown itself.

    Args:
        meanings: The driver's table; the first pattern that is found in *said* counts.
        said: What the driver said, or its error code.
        location: Where the store is.
        fallback: What is told if none is found.
    """
    for pattern, kind, problem, step in meanings:
        if re.search(pattern, said):
            step_there = step.replace("{location}", str(location))
            return kind(f"the token store {location} {problem}", next_step=step_there)
    return StoreError(f"the token store {location} {fallback}")
