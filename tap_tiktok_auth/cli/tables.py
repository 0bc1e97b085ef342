"""Tables: drawn on a terminal, plain aligned text in a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

Tone = Literal["good", "warn", "bad", "dim", "plain"]

#: A cell: a text, and how it looks on a terminal.
Cell = tuple[str, Tone]

_STYLES: dict[Tone, str] = {
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "dim": "dim",
    "plain": "",
}


def on_terminal() -> bool:
    """Whether results go to a terminal."""
    return sys.stdout.isatty()


def print_plain(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as aligned text without colours; an empty cell becomes `-`.

    Cells hold no spaces but in the last column, so that `awk` finds them.
    """
    table = [tuple(headings), *(tuple(cell or "-" for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def print_drawn(
    headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, folded: Container[int]
) -> None:
    """Draw rows on the terminal.

    Args:
        headings: Of the columns.
        rows: Their cells.
        folded: Indices of the columns whose texts are broken where the terminal is narrow.
    """
    from rich import box  # noqa: PLC0415  (only where something is drawn)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for position, heading in enumerate(headings):
        table.add_column(heading, no_wrap=position not in folded, overflow="fold")
    for row in rows:
        table.add_row(*(Text(text, _STYLES[tone]) for text, tone in row))
    Console(highlight=False).print(table)


def bar(share: float, width: int = 6) -> str:
    """Return a bar of which *share*, from 0 to 1, is filled; what is not nothing shows."""
    filled = min(max(round(share * width), 1 if share > 0 else 0), width)
    full, empty = ("█", "░") if _draws_blocks() else ("#", ".")
    return full * filled + empty * (width - filled)


def _draws_blocks() -> bool:
    try:
        "█░".encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
