"""`tiktok-auth status`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.checks import check_all
from tap_tiktok_auth.cli import condition, tables
from tap_tiktok_auth.cli.common import (
    config_option,
    connection_name,
    json_option,
    one_line_errors,
    open_session,
    print_json,
    tell,
)
from tap_tiktok_auth.cli.progress import progress
from tap_tiktok_auth.metadata import token_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_tiktok_auth.broker import Broker
    from tap_tiktok_auth.checks import Report
    from tap_tiktok_auth.connections import Connection

_HEADINGS = ("connection", "api", "status", "time left", "consent ends")
_PLAIN_HEADINGS = ("CONNECTION", "API", "STATUS", "TIME_LEFT", "CONSENT_ENDS")


@click.command()
@click.argument("names", type=connection_name, nargs=-1, metavar="[NAME]...")
@config_option
@json_option
@click.option("--check", "asks", is_flag=True, help="Have fresh tokens and ask TikTok about them.")
@one_line_errors
def status(
    names: tuple[str, ...], config_paths: tuple[str, ...], as_json: bool, asks: bool
) -> None:
    """Show how the connections are, and how long their tokens and consents last.

    Only the token store is read, unless --check is given: then due tokens are refreshed, seeds
    exchanged, and TikTok confirms each token. The columns are the connection, TikTok's token
    system, the status, the time that the access token has left, and the date after which a person
    must authorise again.

    Exit code 3 if a connection needs a person, 1 if one has another error that keeps it from
    having a token, else 0. --json prints a list with the fields of the stream token_metadata.

    \b
      tiktok-auth status
      tiktok-auth status acme beta --check
      tiktok-auth status | awk '$3 == "active" { print $1, $4 }'
      tiktok-auth status --json | jq -r '.[] | .connection + " " + .status'
    """  # noqa: D301  (click's mark for text that keeps its lines)
    with open_session(config_paths) as broker:
        wanted = chosen(broker, names)
        reports = condition.look_at_all(broker, wanted)
        if asks:
            reports = _checked(broker, reports)
        if as_json:
            print_json([token_metadata(report, broker) for report in reports])
        else:
            _show(reports, broker.config.consent_warning_days)
    sys.exit(condition.exit_code_of(reports))


def chosen(broker: Broker, names: Iterable[str]) -> list[Connection]:
    """Return the connections of these names, each once; all if there are no names.

    Raises:
        ConfigurationError: There is none, or none of such a name.
    """
    unique = list(dict.fromkeys(names))
    return [broker.connection(name) for name in unique] if unique else broker.connections()


def _checked(broker: Broker, reports: list[Report]) -> list[Report]:
    """Ask TikTok about all connections but those that a person ended."""
    wanted = [report.connection for report in reports if not condition.is_revoked(report)]
    with progress("Asking TikTok", len(wanted)) as done:
        checked = {
            report.connection.name: report for report in check_all(broker, wanted, done=done)
        }
    return [checked.get(report.connection.name, report) for report in reports]


def _show(reports: list[Report], warning_days: int) -> None:
    lines = [condition.line(report, warning_days) for report in reports]
    if tables.on_terminal():
        tables.print_drawn(_HEADINGS, [line.drawn() for line in lines], folded={0, 1})
    else:
        tables.print_plain(_PLAIN_HEADINGS, [line.plain() for line in lines])
    for report in reports:
        for note in condition.notes(report):
            tell(str(note))
