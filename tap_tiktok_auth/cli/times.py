"""Spans and moments, as people write them and as they read them."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone

import click

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw])")
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,3})?")
# RFC 3339, and a date alone. Python 3.10 reads neither `Z` nor any number of decimals.
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?)?"
)


def duration(text: str) -> float:
    """Return a span of time in seconds: 90s, 30m, 6h, 2d, 1w, or seconds without a unit.

    Raises:
        click.BadParameter: It is none of these.
    """
    seconds = _span(text)
    if seconds is None and _SECONDS.fullmatch(text):
        seconds = float(text)
    if seconds is None:
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 30m, 6h or 2d.")
    return seconds


@dataclass(frozen=True)
class Start:
    """Where a look back begins: at a moment, or some time ago.

    Attributes:
        moment: Seconds since the epoch.
        ago: Seconds before now.
    """

    moment: float | None = None
    ago: float = 0.0

    def at(self, now: float) -> float:
        """Return the moment, seconds since the epoch."""
        return now - self.ago if self.moment is None else self.moment


def start(text: str) -> Start:
    """Return a moment as RFC 3339, a date (midnight UTC), or a duration back from now.

    Raises:
        click.BadParameter: It is none of these.
    """
    ago, found = _span(text), _MOMENT.fullmatch(text)
    if ago is not None:
        return Start(ago=ago)
    if found is not None:
        date, time, decimals, offset = found.groups()
        zone = "+00:00" if offset in {None, "Z", "z"} else offset
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(f"{date}T{time or '00:00:00'}{zone}").timestamp()
            return Start(moment + float(f"0.{decimals or 0}"))
    raise click.BadParameter(
        f"{text!r} is not a time such as 2026-01-31, 2026-01-31T12:00:00Z, 24h or 7d."
    )


def span_text(seconds: float) -> str:
    """Return a span as people read it, in its two largest units: `23h12m`."""
    whole = int(max(seconds, 0))
    for unit, below in (("d", "h"), ("h", "m")):
        if whole >= _UNITS[unit]:
            more = whole % _UNITS[unit] // _UNITS[below]
            few = whole < 100 * _UNITS[unit]
            return f"{whole // _UNITS[unit]}{unit}" + (f"{more:02}{below}" if few else "")
    return f"{whole // 60}m" if whole >= _UNITS["m"] else f"{whole}s"


def moment_text(moment: float) -> str:
    """Return a moment as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(text: str) -> float | None:
    found = _SPAN.fullmatch(text)
    return float(found[1]) * _UNITS[found[2]] if found else None
