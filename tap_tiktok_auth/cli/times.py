"""Times on the command line: durations, and moments to look back to."""

from __future__ import annotations

import re
from dataclasses import dataclass

import click

from tap_tiktok_auth.times import read_moment, read_span

_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,3})?")


def duration(text: str) -> float:
    """Return a span of time in seconds: 90s, 30m, 6h, 2d, 1w, or seconds without a unit.

    Raises:
        click.BadParameter: It is none of these.
    """
    seconds = read_span(text)
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
    ago, moment = read_span(text), read_moment(text)
    if ago is not None:
        return Start(ago=ago)
    if moment is not None:
        return Start(moment)
    raise click.BadParameter(
        f"{text!r} is not a time such as 2026-01-31, 2026-01-31T12:00:00Z, 24h or 7d."
    )
