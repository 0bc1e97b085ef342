"""Tables: drawn on a terminal, plain aligned text in a pipe."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Tone = Literal["good", "warn", "bad", "dim", "plain"]

#: A cell: a text, and how it looks on a terminal.
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
_FEW = 36


def on_terminal() -> bool:
    """Whether results go to a terminal."""
    return sys.stdout.isatty()


def coloured() -> bool:
    """Whether results go to a terminal that wants colours."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return on_terminal() and wanted


def width() -> int:
    """Return how many columns the terminal has."""
    return shutil.get_terminal_size().columns


def print_plain(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as aligned text without colours; an empty cell becomes `-`.

    Cells hold no spaces but in the last column, so that `awk` finds them.
    """
    table = [tuple(headings), *(tuple(cell or "-" for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def room(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
    """Return how many columns of the terminal the other cells leave to the first one."""
    return width() - sum(size + len(_GAP) for size in _widths(headings, rows)[1:])


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
    columns = len(headings) - (prose is not None)
    widths = _widths(headings[:columns], rows)
    left = width() - sum(widths) + widths[named] - len(_GAP) * (columns - 1)
    names = (headings[named], *(row[named][0] for row in rows))
    widths[named] = max((len(name) for name in names if len(name) <= left), default=0)
    used = sum(widths) + len(_GAP) * columns
    beside = prose is not None and width() - used >= _FEW
    indent = used if beside else 4
    _print_line(_aligned([(heading, "plain") for heading in headings[: columns + beside]], widths))
    rule = ("─" if _draws_blocks() else "-") * (width() if beside else min(used, width()))
    _print_line(click.style(rule, dim=True))
    for row, text in zip(rows, prose or [""] * len(rows), strict=True):
        lines = wrapped(text, width() - indent) if text else []
        first: Sequence[Cell] = [(lines.pop(0), "plain")] if beside and lines else []
        _print_line(_aligned([*row, *first], widths))
        for line in lines:
            _print_line(" " * indent + line)


def wrapped(text: str, columns: int) -> list[str]:
    """Break a text between words: a command or an id that is broken in two cannot be copied."""
    lines = textwrap.wrap(text, max(columns, 20), break_long_words=False, break_on_hyphens=False)
    return lines or [""]


def bar(share: float, size: int = 6) -> str:
    """Return a bar of which *share*, from 0 to 1, is filled; what is not nothing shows."""
    filled = min(max(round(share * size), 1 if share > 0 else 0), size)
    full, empty = ("█", "░") if _draws_blocks() else ("#", ".")
    return full * filled + empty * (size - filled)


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
