"""Durations and times, as people write and read them."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tap_tiktok_auth.cli.common import duration, start_time
from tap_tiktok_auth.cli.main import main
from tap_tiktok_auth.times import span_text

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1_800), ("6h", 21_600), ("2d", 172_800), ("1w", 604_800), ("45", 45),
     ("1.5h", 5_400)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    """Units are seconds, minutes, hours, days and weeks; a bare number is seconds."""
    assert duration(text) == seconds
    if text != "45":
        assert start_time(text)(NOW) == NOW - seconds


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-02", 86_400),
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01t00:00:01.25z", 1.25),
        ("1970-01-01 02:00:01.1234567+02:00", 1.1234567),
    ],
)
def test_times(text: str, moment: float) -> None:
    """RFC 3339 with any offset and any number of decimals, or a date, whatever the time is now."""
    assert start_time(text)(NOW) == start_time(text)(0.0) == moment


@given(st.text(max_size=30))
def test_any_other_text_is_refused(text: str) -> None:
    """Whatever is typed gives a finite number or a usage error, nothing else."""
    for read in (duration, lambda typed: start_time(typed)(0.0)):
        try:
            seconds = read(text)
        except click.BadParameter:
            continue
        assert abs(seconds) < 1e16


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3_599, "59m"), (83_520, "23h12m"), (90_000, "1d01h"),
     (86_400 * 99, "99d00h"), (86_400 * 365, "365d"), (-5, "0s")],
)  # fmt: skip
def test_durations_are_read_at_a_glance(seconds: float, text: str) -> None:
    """The two largest units, never longer than it is."""
    assert span_text(seconds) == text


@given(st.floats(min_value=0, max_value=1e11))
def test_durations_are_short(seconds: float) -> None:
    """No duration is wider than its column."""
    assert len(span_text(seconds)) <= 8


@pytest.mark.parametrize(
    ("command", "wrong", "said"),
    [
        ("refresh --due-within", ["6x", "h", "-1h", "", "1e3s", "9999999999s"], "90s, 30m, 6h"),
        ("status --expiring", ["soon", "-1d", "d"], "90s, 30m, 6h or 2d"),
        ("token --min-lifetime", ["soon"], "90s, 30m, 6h or 2d"),
        (
            "events --since",
            ["yesterday", "2026-02-30", "12:00", "-1d", "7"],
            "2026-01-31T12:00:00Z",
        ),
    ],
)
def test_what_is_wrong_is_a_usage_error(command: str, wrong: list[str], said: str) -> None:
    """Each option of a command refuses what it cannot read, with examples."""
    for text in wrong:
        result = CliRunner().invoke(main, [*command.split(), text])

        assert result.exit_code == 2
        assert said in result.stderr
