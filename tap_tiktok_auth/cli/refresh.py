"""`tiktok-auth refresh`."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from tap_tiktok_auth.checks import check_all
from tap_tiktok_auth.cli import condition
from tap_tiktok_auth.cli.common import (
    EXIT_ERROR,
    config_option,
    connection_name,
    json_option,
    load,
    one_line_errors,
    print_json,
    tell,
)
from tap_tiktok_auth.cli.progress import progress
from tap_tiktok_auth.cli.status import chosen
from tap_tiktok_auth.cli.times import duration
from tap_tiktok_auth.metadata import rfc3339
from tap_tiktok_auth.session import session

if TYPE_CHECKING:
    from tap_tiktok_auth.broker import Broker
    from tap_tiktok_auth.checks import Report
    from tap_tiktok_auth.connections import Connection
    from tap_tiktok_auth.records import Record
    from tap_tiktok_auth.store import Store

#: What became of a connection, and how the summary says it.
_OUTCOMES = {
    "refreshed": "refreshed",
    "exchanged": "exchanged",
    "imported": "imported",
    "done_elsewhere": "done by another worker",
    "not_due": "not due",
    "still_works": "not refreshed but working",
    "failed": "failed",
}


@dataclass(frozen=True)
class Result:
    """What became of a connection: a key of `_OUTCOMES`, and how the connection is now."""

    report: Report
    outcome: str


@click.command()
@click.argument("names", type=connection_name, nargs=-1, metavar="[NAME]...")
@config_option
@click.option(
    "--due-within",
    type=duration,
    metavar="DURATION",
    help="Refresh what has less time left: 90s, 30m, 6h, 2d. Default: the setting refresh_margin.",
)
@click.option("--force", is_flag=True, help="Refresh also what is not due.")
@json_option
@one_line_errors
def refresh(
    names: tuple[str, ...],
    config_paths: tuple[str, ...],
    due_within: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Refresh the tokens that are due, of all connections or of those named.

    A worker: run it from cron, on any number of machines over one token store. Leases share out
    the work, so that no token is refreshed twice and none is left. Seeds that no run has
    exchanged yet are exchanged. A token that is not due is left alone, and a token is never
    refreshed with more than half of its life left, unless --force is given. A connection that was
    revoked is passed over.

    Exit code 3 if a person must authorise, 1 if something else kept a token from being
    refreshed, else 0.

    \b
      tiktok-auth refresh
      tiktok-auth refresh --due-within 6h
      tiktok-auth refresh acme --force --json
      */10 * * * *  tiktok-auth refresh --config /etc/tiktok.json
    """  # noqa: D301  (click's mark for text that keeps its lines)
    config = load(config_paths)
    if due_within is not None:
        config = replace(config, refresh_margin=int(due_within))
    with session(config) as broker:
        results = _refresh(broker, names, force=force)
    for result in results:
        for note in condition.notes(result.report):
            tell(str(note))
    if as_json:
        print_json([_shown(result) for result in results])
    else:
        click.echo(_summary(results))
    sys.exit(_exit_code(results))


def _refresh(broker: Broker, names: tuple[str, ...], *, force: bool) -> list[Result]:
    store, begun = broker.store, broker.store.now()
    connections = chosen(broker, names)
    reports = condition.look_at_all(broker, connections)
    if not names:
        reports = [report for report in reports if not condition.is_revoked(report)]
    due = [report.connection for report in reports if force or _is_due(report)]
    # Workers that begin at the same time should not all begin with the same connection.
    secrets.SystemRandom().shuffle(due)
    with progress("Refreshing", len(due)) as done:
        checked = check_all(broker, due, verify=False, force=force, done=done)
    now_known = {report.connection.name: report for report in checked}
    renewals = _own_renewals(store, begun)
    return [_result(now_known.get(before.connection.name), before, renewals) for before in reports]


def _is_due(report: Report) -> bool:
    """Whether there is something to do, or to tell, beyond using the stored token."""
    attempt = report.record.attempt if report.record else None
    crashed = attempt is not None and attempt.outcome == "sent"
    return report.held is None or report.held.warning is not None or crashed


def _own_renewals(store: Store, begun: float) -> dict[str, str]:
    """Return what this process did since then, by connection, as the audit trail has it."""
    # Event ids follow the clock in microseconds and never fall back behind it.
    events = store.events(after=int(begun * 1_000_000) - 1)
    own = (os.getpid(), socket.gethostname())
    return {
        stored.event.connection: stored.event.name
        for stored in events
        if (stored.pid, stored.host) == own
        and stored.event.name in {"refreshed", "exchanged", "imported"}
    }


def _result(after: Report | None, before: Report, renewals: dict[str, str]) -> Result:
    if after is None:
        return Result(before, "not_due")
    name = after.connection.name
    if name in renewals:
        return Result(after, renewals[name])
    if after.error is not None:
        return Result(after, "failed")
    if after.held is not None and after.held.warning is not None:
        return Result(after, "still_works")
    moved = _generation(after.record) != _generation(before.record)
    return Result(after, "done_elsewhere" if moved else "not_due")


def _generation(record: Record | None) -> int:
    return record.generation if record else 0


def _exit_code(results: list[Result]) -> int:
    code = condition.exit_code_of([result.report for result in results])
    if code == 0 and any(result.outcome == "still_works" for result in results):
        return EXIT_ERROR
    return code


def _summary(results: list[Result]) -> str:
    counts = Counter(result.outcome for result in results)
    told = [f"{counts[outcome]} {words}" for outcome, words in _OUTCOMES.items() if counts[outcome]]
    return ", ".join(told) or "there was nothing to do"


def _shown(result: Result) -> dict[str, Any]:
    report = result.report
    token = report.record.token if report.record else None
    error = report.error or (report.held.warning if report.held else None)
    connection: Connection = report.connection
    return {
        "connection": connection.name,
        "api": connection.api,
        "outcome": result.outcome,
        "access_token_expires_at": rfc3339(token.expires_at if token else None),
        "consent_deadline": rfc3339(token.consent_deadline if token else None),
        "error_code": error.code if error else None,
        "error_message": error.cause if error else None,
        "request_id": error.request_id if error else None,
    }
