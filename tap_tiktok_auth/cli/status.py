"""`tiktok-auth status`."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.cli import common, connections_view, output
from tap_tiktok_auth.credentials import health
from tap_tiktok_auth.credentials.checks import check_all
from tap_tiktok_auth.credentials.lifecycle import DAY
from tap_tiktok_auth.metadata import token_metadata

if TYPE_CHECKING:
    from tap_tiktok_auth.cli.output import Cell
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager

#: Columns that a terminal should have for names before bars, then token systems, are left out.
_ROOM_FOR_NAMES = 16


@click.command()
@common.names_argument
@common.config_option
@common.json_option
@click.option("--check", "asks", is_flag=True, help="Refresh what is due, and ask TikTok.")
@click.option("--problems", is_flag=True, help="Show only what has an error or a warning.")
@click.option(
    "--expiring",
    type=common.duration,
    metavar="DURATION",
    help="Show only consents that end within this time, or have ended: 12h, 30d. With --problems: "
    "these too.",
)
@click.option(
    "--fail-on",
    type=click.Choice(("error", "warning")),
    default="error",
    show_default=True,
    help="With warning, what will soon need someone sets the exit code too.",
)
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
    """Show the status of the connections, and how long their tokens and consents last.

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
    """
    config = common.load(config_paths)
    if expiring is not None:
        config = replace(config, consent_warning_days=math.ceil(expiring / DAY))
    with common.open_existing(config, *names, begins=asks) as manager:
        results = health.assess_all(manager, names)
        if asks:
            results = _checked(manager, results)
        shown = [*results]
        if problems or expiring is not None:
            shown = [one for one in results if _is_wanted(one, expiring, problems=problems)]
        if as_json:
            output.print_json([token_metadata(result, manager) for result in shown])
        else:
            shown.sort(key=health.urgency)
            _print(shown, results, config.consent_warning_days, thorough=problems)
    soon = config.consent_warning_days * DAY if fail_on == "warning" else None
    sys.exit(connections_view.exit_code(shown, soon=soon))


def _is_wanted(result: CheckResult, expiring: float | None, *, problems: bool) -> bool:
    ends = expiring is not None and health.ends_within(result, expiring)
    return ends or (problems and health.urgency(result)[0] < health.WELL)


def _checked(manager: TokenManager, results: list[CheckResult]) -> list[CheckResult]:
    """Ask TikTok about all connections but those that a person ended."""
    wanted = [result.connection for result in results if not health.is_revoked(result)]
    with output.progress("Asking TikTok", len(wanted)) as done:
        checked = {
            result.connection.name: result for result in check_all(manager, wanted, done=done)
        }
    return [checked.get(result.connection.name, result) for result in results]


def _print(
    shown: list[CheckResult], results: list[CheckResult], warning_days: int, *, thorough: bool
) -> None:
    if not output.on_terminal():
        headings = [heading.upper().replace(" ", "_") for heading in connections_view.HEADINGS]
        rows = [connections_view.row(result, warning_days) for result in shown]
        output.print_plain(headings, [[text for text, _ in row] for row in rows])
    elif shown:
        _draw(shown, warning_days)
    messages = health.troubles if thorough else connections_view.messages
    found = (message for result in shown for message in messages(result))
    for line in connections_view.message_lines(found):
        output.tell(line)
    ill = any(health.urgency(result)[0] < health.WELL for result in shown)
    if (len(results) > 1 or not shown) and (ill or sys.stderr.isatty()):
        some = "" if len(shown) == len(results) else f"{len(shown)} shown of "
        output.tell(some + connections_view.totals(results, warning_days))


def _draw(shown: list[CheckResult], warning_days: int) -> None:
    """Draw the table with as much as the terminal is wide enough for beside the names."""
    wanted = min(max(len(result.connection.name) for result in shown), _ROOM_FOR_NAMES)
    headings: tuple[str, ...] = ()
    rows: list[tuple[Cell, ...]] = []
    for apis, bars in ((True, True), (True, False), (False, True), (False, False)):
        headings = connections_view.HEADINGS
        rows = [connections_view.row(result, warning_days, bars=bars) for result in shown]
        if not apis:
            headings, rows = headings[:1] + headings[2:], [row[:1] + row[2:] for row in rows]
        if output.room_for_first(headings, rows) >= wanted:
            break
    output.print_drawn(headings, rows)
