"""Moments and spans of time: how they are written, and how they are read."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw])")
# RFC 3339, and a date alone. Python 3.10 reads neither `Z` nor any number of decimals.
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?)?"
)


def rfc3339(moment: float | None) -> str | None:
    """Return *moment*, seconds since the epoch, as RFC 3339 in UTC, or None."""
    return None if moment is None else datetime.fromtimestamp(moment, timezone.utc).isoformat()


def as_time(moment: float) -> str:
    """Return *moment* as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_date(moment: float) -> str:
    """Return the date of *moment* in UTC."""
    return as_time(moment)[:10]


def span_text(seconds: float) -> str:
    """Return a span as people read it, in its two largest units: `23h12m`."""
    whole = int(max(seconds, 0))
    for unit, below in (("d", "h"), ("h", "m")):
        if whole >= _UNITS[unit]:
            more = whole % _UNITS[unit] // _UNITS[below]
            few = whole < 100 * _UNITS[unit]
            return f"{whole // _UNITS[unit]}{unit}" + (f"{more:02}{below}" if few else "")
    return f"{whole // 60}m" if whole >= _UNITS["m"] else f"{whole}s"


def read_span(text: str) -> float | None:
    """Return a span such as 90s, 30m, 6h, 2d or 1w in seconds; None if *text* is none."""
    found = _SPAN.fullmatch(text)
    return float(found[1]) * _UNITS[found[2]] if found else None


def read_moment(text: str) -> float | None:
    """Return RFC 3339, or a date (midnight UTC), in seconds since the epoch; None if it is none."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    date, time, decimals, offset = found.groups()
    zone = "+00:00" if offset in {None, "Z", "z"} else offset
    try:
        moment = datetime.fromisoformat(f"{date}T{time or '00:00:00'}{zone}").timestamp()
    except (ValueError, OverflowError):
        return None
    return moment + float(f"0.{decimals or 0}")
