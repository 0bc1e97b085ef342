"""What a person sees on a terminal of 80 columns."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from .terminal import Terminal, run, wait_until
from .world import DAY

if TYPE_CHECKING:
    from .world import World

LONG_NAME = "a-customer-with-a-very-long-name.and-a-region@emea:production"


@pytest.fixture
def agency(world: World) -> World:
    """A store with connections in all conditions."""
    world.keep("acme", "marketing")
    world.keep("creators", "creator_marketplace")
    world.keep(LONG_NAME, "accounts", age=3_600)
    world.keep("half", "creator", age=DAY / 2)
    world.keep("over", "accounts", age=400 * DAY)
    world.keep("gone", "login_kit", status="revoked", token=None)
    world.keep("failing", "accounts", age=DAY - 900, status="refresh_failing")
    return world


@pytest.mark.usefixtures("agency")
def test_status_fits_80_columns() -> None:
    """The table is no wider than the terminal, and no name, status or time is cut off."""
    code, terminal = run("status")
    table = terminal.lines[: terminal.lines.index("") if "" in terminal.lines else None]
    drawn = [line for line in table if not line.startswith("tiktok-auth: ")]

    assert code == 3
    assert max(map(len, drawn)) <= 80
    text = "\n".join(drawn)
    for word in ("long-term", "reauthorization_required", "revoked", "refresh_failing", "11h59m"):
        assert word in text
    assert "expired" in text
    assert LONG_NAME in drawn
    assert "…" not in text


@pytest.mark.usefixtures("agency")
def test_status_draws_time_left_as_a_bar() -> None:
    """The bar is as full as the token is young."""
    _, terminal = run("status", "half", LONG_NAME)

    assert any("███░░░ 11h59m" in line for line in terminal.lines)
    assert any("██████ 22h59m" in line for line in terminal.lines)


@pytest.mark.usefixtures("agency")
def test_narrow_terminal_loses_no_name() -> None:
    """On 60 columns bars and token systems are left out, and all else stays whole."""
    _, terminal = run("status", columns=60)
    drawn = [line for line in terminal.lines if not line.startswith("tiktok-auth: ")]

    assert max(len(line) for line in drawn if line != LONG_NAME) <= 60
    assert LONG_NAME in drawn
    assert any(line.split()[:3] == ["half", "active", "11h59m"] for line in drawn)


@pytest.mark.usefixtures("agency")
def test_colours_are_for_terminals_that_want_them() -> None:
    """A terminal gets colours, one with NO_COLOR none."""
    _, coloured = run("status", "half")
    _, plain = run("status", "half", environment={"NO_COLOR": "1"})

    assert "\x1b[32m" in coloured.raw
    assert "\x1b[3" not in plain.raw


@pytest.mark.parametrize(
    ("days", "style"),
    [(-3, "\x1b[31m\x1b[1m"), (3, "\x1b[33m"), (300, "")],
    ids=["over", "soon", "far"],
)
def test_the_end_of_a_consent_stands_out(world: World, days: int, style: str) -> None:
    """A consent that is over is red and bold, one that ends soon is yellow, others are plain."""
    world.keep("acme")
    deadline = world.change_token("acme", consent_deadline=time.time() + days * DAY).token
    assert deadline is not None

    _, terminal = run("status")

    date = time.strftime("%Y-%m-%d", time.gmtime(deadline.consent_deadline))
    row = next(line for line in terminal.raw.splitlines() if "acme" in line)
    assert row.rpartition(date)[0].endswith(style or "  ")


@pytest.mark.usefixtures("agency")
def test_ascii_terminal_gets_ascii() -> None:
    """Where the terminal cannot show blocks, the bar is of ASCII characters."""
    _, terminal = run(
        "status", "half", environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    )

    assert any("###... 11h59m" in line for line in terminal.lines)


def test_refresh_shows_progress_and_leaves_one_line(world: World) -> None:
    """A bar counts while it works; what stays is the summary."""
    for number in range(6):
        world.keep(f"c{number}", age=DAY - 900)
    world.tiktok.scenario("latency", value=50)

    code, terminal = run("refresh")

    assert code == 0
    assert "Refreshing" in terminal.raw
    assert "6/6" in terminal.raw
    assert terminal.lines[-1].endswith("6 refreshed")
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "ctrl-c"]
)
def test_interrupted_refresh_is_quiet_and_keeps_what_it_got(
    world: World, number: signal.Signals, code: int
) -> None:
    """A signal ends it in order: no traceback, the cursor is back, the request's token is kept."""
    world.keep("acme", age=DAY - 900)
    world.tiktok.scenario("latency", value=400)

    terminal = Terminal("refresh")
    wait_until(world.tiktok.calls)
    terminal.process.send_signal(number)

    assert terminal.end() == code
    assert "Traceback" not in terminal.raw
    assert terminal.raw.rindex("\x1b[?25h") > terminal.raw.rindex("\x1b[?25l")
    assert world.stored("acme").generation == 2


def test_the_table_of_two_hundred_fits_and_breaks_no_name(world: World) -> None:
    """On 80 columns no row is wider, and each name stands whole, whatever else is there."""
    stored = world.keep("a-brand-of-the-largest-client")
    assert stored.token is not None
    over = replace(stored.token, consent_deadline=time.time() - 3 * DAY)
    failed = replace(stored, token=over, status="reauthorization_required")
    world.keep_many(
        *(replace(stored, name=f"client-of-agency-{number:04}") for number in range(120)),
        *(replace(failed, name=f"another-client-{number:04}") for number in range(79)),
    )
    world.keep("tto", "creator_marketplace")

    _, terminal = run("status")

    table = [line for line in terminal.lines if not line.startswith("tiktok-auth: ")]
    first = [line.split()[0] for line in table if line and line[0] not in " ─"]
    assert len([name for name in first if name != "connection"]) == 201
    assert max(map(len, table)) <= 80
    assert "a-brand-of-the-largest-client" in first
