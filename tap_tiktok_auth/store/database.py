"""What differs between one SQL database and another."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tap_tiktok_auth.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager


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
            next_step = step.replace("{location}", str(location))
            return kind(f"the token store {location} {problem}", next_step=next_step)
    return StoreError(f"the token store {location} {fallback}")
