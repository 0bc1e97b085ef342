"""Output of the commands: messages and exit codes, tables, JSON, progress.

Tables and progress are drawn on a terminal; a pipe gets plain aligned text and no progress.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click

from tap_tiktok_auth import errors
from tap_tiktok_auth.errors import AuthorizationRequired, TikTokAuthError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import FrameType

EXIT_ERROR = 1
EXIT_AUTHORIZE = 3

Tone = Literal["good", "warn", "bad", "dim", "plain"]

#: A text, and how it looks on a terminal.
Cell = tuple[str, Tone]

_STYLES: Mapping[Tone, dict[str, Any]] = {
    "good": {"fg": "green"},
    "warn": {"fg": "yellow"},
    "bad": {"fg": "red", "bold": True},
    "dim": {"dim": True},
    "plain": {},
}
_GAP = "  "
#: Columns of a terminal below which a text of several words goes below its row.
_NARROW = 36


def tell(line: str) -> None:
    """Print a line for a person, on stderr: stdout is for results."""
    click.echo(f"tiktok-auth: {errors.completed(line)}", err=True)


def fail(error: TikTokAuthError) -> NoReturn:
    """Print an error as one line on stderr and exit: code 3 if a person must authorise, else 1."""
    tell(str(error))
    sys.exit(EXIT_AUTHORIZE if isinstance(error, AuthorizationRequired) else EXIT_ERROR)


def on_terminal() -> bool:
    """Whether results go to a terminal."""
    return sys.stdout.isatty()


def coloured() -> bool:
    """Whether results go to a terminal that wants colours."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return on_terminal() and wanted


def columns() -> int:
    """Return how many columns the terminal has."""
    return shutil.get_terminal_size().columns


def print_json(value: object) -> None:
    """Print JSON on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_list(values: Iterable[object]) -> None:
    """Print values as a JSON list on stdout, holding one of them at a time."""
    before = "["
    for value in values:
        click.echo(f"{before}\n{json.dumps(value, ensure_ascii=False)}", nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def print_plain(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as aligned text without colours; an empty cell becomes `-`.

    Cells hold no spaces but in the last column, so that `awk` finds them.
    """
    table = [tuple(headings), *(tuple(cell or "-" for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def room_for_first(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
    """Return how many columns of the terminal the other cells leave to the first one."""
    return columns() - sum(size + len(_GAP) for size in _widths(headings, rows)[1:])


def print_drawn(
    headings: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    named: int = 0,
    prose: Sequence[str] | None = None,
) -> None:
    """Draw rows on the terminal. No cell is cut off or broken.

    Args:
        headings: Of the columns, and of the prose if there is any.
        rows: Their cells.
        named: Index of the column whose long cells push the rest of their row to the next line.
        prose: For each row a text that is broken between words: in a last column, or below the
            row where the terminal is narrow.
    """
    count = len(headings) - (prose is not None)
    widths = _widths(headings[:count], rows)
    left = columns() - sum(widths) + widths[named] - len(_GAP) * (count - 1)
    names = (headings[named], *(row[named][0] for row in rows))
    widths[named] = max((len(name) for name in names if len(name) <= left), default=0)
    used = sum(widths) + len(_GAP) * count
    beside = prose is not None and columns() - used >= _NARROW
    indent = used if beside else 4
    _print_line(_aligned([(heading, "plain") for heading in headings[: count + beside]], widths))
    rule = ("─" if _draws_blocks() else "-") * (columns() if beside else min(used, columns()))
    _print_line(click.style(rule, dim=True))
    for row, text in zip(rows, prose or [""] * len(rows), strict=True):
        lines = wrapped(text, columns() - indent) if text else []
        first: Sequence[Cell] = [(lines.pop(0), "plain")] if beside and lines else []
        _print_line(_aligned([*row, *first], widths))
        for line in lines:
            _print_line(" " * indent + line)


def wrapped(text: str, width: int) -> list[str]:
    """Break a text between words: a command or an id that is broken in two cannot be copied."""
    lines = textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)
    return lines or [""]


def bar(share: float, size: int = 6) -> str:
    """Return a bar of which *share*, from 0 to 1, is filled; any share above 0 shows."""
    filled = min(max(round(share * size), 1 if share > 0 else 0), size)
    full, empty = ("█", "░") if _draws_blocks() else ("#", ".")
    return full * filled + empty * (size - filled)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[object], None]]:
    """Show on stderr how far the work is while the block runs; nothing in a pipe.

    Args:
        what: What is done.
        total: How many things there are to do.

    Returns:
        A function to call after each of them; it ignores its argument.
    """
    if not total or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import console, progress  # noqa: PLC0415  (takes 50 ms; drawn on a terminal only)

    shown = (progress.TextColumn("{task.description}"), progress.BarColumn())
    with (
        _cleaned_up_after_sigterm(),
        progress.Progress(
            *shown,
            progress.MofNCompleteColumn(),
            console=console.Console(stderr=True),
            transient=True,
        ) as drawn,
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


def _widths(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[int]:
    return [
        max(len(heading), *(len(row[position][0]) for row in rows), 0)
        for position, heading in enumerate(headings)
    ]


def _aligned(cells: Sequence[Cell], widths: Sequence[int]) -> str:
    line, start = "", 0
    for position, (text, tone) in enumerate(cells):
        line += click.style(text, **_STYLES[tone]) if text else ""
        if position < len(widths):
            start += widths[position] + len(_GAP)
            more = widths[position] - len(text)
            line += " " * (more + len(_GAP)) if more >= 0 else "\n" + " " * start
    return line.rstrip()


def _print_line(line: str) -> None:
    click.echo(line, color=coloured())


def _draws_blocks() -> bool:
    try:
        "█░─".encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
