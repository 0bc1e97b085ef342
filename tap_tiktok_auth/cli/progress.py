"""Progress of long work: a bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[object], None]]:
    """Show how far the work is while the block runs, on stderr.

    Args:
        what: What is done.
        total: How many things there are to do.

    Returns:
        A function to call after each of them; it ignores its argument.
    """
    if not total or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  (drawn on a terminal only)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        _cleaned_up_after_sigterm(),
        Progress(*columns, console=Console(stderr=True), transient=True) as drawn,
    ):
        task = drawn.add_task(what, total=total)
        yield lambda _: drawn.advance(task)


@contextmanager
def _cleaned_up_after_sigterm() -> Iterator[None]:
    """Let SIGTERM end the process in order, so that the terminal gets its cursor back."""

    def leave(number: int, frame: FrameType | None) -> None:
        del frame
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
