"""Spans and moments, as people write and read them."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_tiktok_auth.cli.times import Start, duration, start
from tap_tiktok_auth.times import span_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1_800), ("6h", 21_600), ("2d", 172_800), ("1w", 604_800), ("45", 45)],
)
def test_durations(text: str, seconds: float) -> None:
    """Units are seconds, minutes, hours, days and weeks; a bare number is seconds."""
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5h", Start(ago=5_400)),
        ("1970-01-02", Start(86_400)),
        ("1970-01-01T00:00:01Z", Start(1)),
        ("1970-01-01t00:00:01.25z", Start(1.25)),
        ("1970-01-01 02:00:01.1234567+02:00", Start(1.1234567)),
    ],
)
def test_starts(text: str, expected: Start) -> None:
    """RFC 3339 with any offset and any number of decimals, a date, or a time ago."""
    assert start(text) == expected


def test_start_is_at_its_moment_or_so_long_ago() -> None:
    """A moment is itself whatever the time, a duration counts back from it."""
    assert Start(7.0).at(100.0) == 7.0
    assert Start(ago=7.0).at(100.0) == 93.0


@given(st.text(max_size=30))
def test_any_other_text_is_refused(text: str) -> None:
    """Whatever is typed gives a finite number or a usage error, nothing else."""
    for read in (duration, start):
        try:
            value = read(text)
        except click.BadParameter:
            continue
        seconds = value.at(0.0) if isinstance(value, Start) else value
        assert abs(seconds) < 1e16


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3_599, "59m"), (83_520, "23h12m"), (90_000, "1d01h"),
     (86_400 * 365, "365d"), (-5, "0s")],
)  # fmt: skip
def test_spans_are_read_at_a_glance(seconds: float, text: str) -> None:
    """The two largest units, never longer than it is."""
    assert span_text(seconds) == text


@given(st.floats(min_value=0, max_value=1e11))
def test_spans_are_short(seconds: float) -> None:
    """No span is wider than its column."""
    assert len(span_text(seconds)) <= 8
