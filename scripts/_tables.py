"""Print rows as a table that fits a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], width: int = 100) -> str:
    """Return *rows* as text, one line each, no line longer than *width*."""
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    widths = [
        max(len(heading), *(len(line[i]) for line in cells)) if cells else len(heading)
        for i, heading in enumerate(columns)
    ]
    lines = [columns, ["-" * size for size in widths], *cells]
    return "\n".join(
        "  ".join(text.ljust(size) for text, size in zip(line, widths, strict=True)).rstrip()[
            :width
        ]
        for line in lines
    )


def _text(value: Any) -> str:  # noqa: ANN401  (a cell of any column)
    if value is None:
        return ""
    # Minutes are enough: 2026-05-01 12:00:00.123456+00:00 becomes 2026-05-01 12:00.
    text = str(value)
    return text[:16].replace("T", " ") if _is_time(text) else text


def _is_time(text: str) -> bool:
    return len(text) >= 19 and text[4:5] == text[7:8] == "-" and text[13:14] == text[16:17] == ":"
