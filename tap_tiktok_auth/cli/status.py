"""`tiktok-auth status`."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import click

from tap_tiktok_auth.cli import condition, tables
from tap_tiktok_auth.cli.common import (
    config_option,
    json_option,
    load,
    names_argument,
    one_line_errors,
    open_existing,
    print_json,
    tell,
)
from tap_tiktok_auth.cli.progress import progress
from tap_tiktok_auth.cli.times import duration
from tap_tiktok_auth.credentials.checks import check_all
from tap_tiktok_auth.metadata import token_metadata

if TYPE_CHECKING:
    from tap_tiktok_auth.cli.tables import Cell
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager

T = TypeVar("T")

_HEADINGS = ("connection", "api", "status", "time left", "consent ends")
_PLAIN_HEADINGS = ("CONNECTION", "API", "STATUS", "TIME_LEFT", "CONSENT_ENDS")
#: Columns that a terminal should have for names before bars, then token systems, are left out.
_ROOM_FOR_NAMES = 16


@click.command()
@names_argument
@config_option
@json_option
@click.option("--check", "asks", is_flag=True, help="Have fresh tokens and ask TikTok about them.")
@click.option("--problems", is_flag=True, help="Show only what has an error or a warning.")
@click.option(
    "--expiring",
    type=duration,
    metavar="DURATION",
    help="Show only consents that end within so long, or have ended: 12h, 30d. With --problems: "
    "these too.",
)
@click.option(
    "--fail-on",
    type=click.Choice(("error", "warning")),
    default="error",
    show_default=True,
    help="Whether what will need someone has the exit code of what does.",
)
@one_line_errors
def status(
    names: tuple[str, ...],
    *,
    config_paths: tuple[str, ...],
    as_json: bool,
    asks: bool,
    problems: bool,
    expiring: float | None,
    fail_on: str,
) -> None:
    """Show how the connections are, and how long their tokens and consents last.

    Only the token store is read, unless --check is given: then due tokens are refreshed, seeds
    exchanged, and TikTok confirms each token. The columns are the connection, TikTok's token
    system, the status, the time that the access token has left, and the date after which a person
    must authorise again. Those that need someone come first. Without NAME, all are shown.

    Exit code 3 if a connection that is shown needs a person, 1 if one has another error that keeps
    it from having a token, else 0. With --fail-on warning it is 3 also if a consent ends soon
    (within --expiring, or the setting consent_warning_days), and 1 if a refresh has failed.
    --json prints a list with the fields of the stream token_metadata.

    \b
      tiktok-auth status
      tiktok-auth status acme beta --check
      tiktok-auth status --problems
      tiktok-auth status --expiring 14d --fail-on warning || notify-somebody
      tiktok-auth status | awk '$3 == "active" { print $1, $4 }'
      tiktok-auth status --json | jq -r '.[] | .connection + " " + .status'
    """  # noqa: D301  (click's mark for text that keeps its lines)
    config = load(config_paths)
    if expiring is not None:
        config = replace(config, consent_warning_days=math.ceil(expiring / condition.DAY))
    with open_existing(config, *names, begins=asks) as manager:
        reports = condition.look_at_all(manager, names)
        if asks:
            reports = _checked(manager, reports)
        shown = [*reports]
        if problems or expiring is not None:
            shown = [r for r in reports if _is_wanted(r, expiring, problems=problems)]
        if as_json:
            print_json([token_metadata(report, manager) for report in shown])
        else:
            shown.sort(key=condition.urgency)
            _show(shown, reports, config.consent_warning_days, thorough=problems)
    soon = config.consent_warning_days * condition.DAY if fail_on == "warning" else None
    sys.exit(condition.exit_code_of(shown, soon=soon))


def _is_wanted(report: CheckResult, expiring: float | None, *, problems: bool) -> bool:
    ends = expiring is not None and condition.ends_within(report, expiring)
    return ends or (problems and condition.urgency(report)[0] < condition.WELL)


def _checked(manager: TokenManager, reports: list[CheckResult]) -> list[CheckResult]:
    """Ask TikTok about all connections but those that a person ended."""
    wanted = [report.connection for report in reports if not condition.is_revoked(report)]
    with progress("Asking TikTok", len(wanted)) as done:
        checked = {
            report.connection.name: report for report in check_all(manager, wanted, done=done)
        }
    return [checked.get(report.connection.name, report) for report in reports]


def _show(
    shown: list[CheckResult], reports: list[CheckResult], warning_days: int, *, thorough: bool
) -> None:
    lines = [condition.line(report, warning_days) for report in shown]
    if not tables.on_terminal():
        tables.print_plain(_PLAIN_HEADINGS, [line.plain() for line in lines])
    elif lines:
        _draw(lines)
    noted = condition.troubles if thorough else condition.notes
    for note in condition.told(note for report in shown for note in noted(report)):
        tell(note)
    sick = any(condition.urgency(report)[0] < condition.WELL for report in shown)
    if (len(reports) > 1 or not shown) and (sick or sys.stderr.isatty()):
        some = "" if len(shown) == len(reports) else f"{len(shown)} shown of "
        tell(some + condition.sums(reports, warning_days))


def _draw(lines: list[condition.Line]) -> None:
    """Draw the table with as much as the terminal is wide enough for beside the names."""
    wanted = min(max(len(line.name) for line in lines), _ROOM_FOR_NAMES)
    headings: tuple[str, ...] = ()
    rows: list[tuple[Cell, ...]] = []
    for apis, bars in ((True, True), (True, False), (False, True), (False, False)):
        headings, rows = _HEADINGS, [line.drawn(bars=bars) for line in lines]
        if not apis:
            headings, rows = _without_api(headings), [_without_api(row) for row in rows]
        if tables.room(headings, rows) >= wanted:
            break
    tables.print_drawn(headings, rows)


def _without_api(cells: tuple[T, ...]) -> tuple[T, ...]:
    return cells[:1] + cells[2:]
