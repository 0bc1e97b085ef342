"""`tiktok-auth refresh`."""

from __future__ import annotations

import secrets
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from tap_tiktok_auth import command
from tap_tiktok_auth.cli import condition
from tap_tiktok_auth.cli.common import (
    EXIT_ERROR,
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
from tap_tiktok_auth.metadata import status_of
from tap_tiktok_auth.times import rfc3339

if TYPE_CHECKING:
    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import StoredConnection

#: What became of a connection, and how the summary says it.
_OUTCOMES = {
    "refreshed": "refreshed",
    "exchanged": "exchanged",
    "imported": "imported",
    "done_elsewhere": "done by another worker",
    "not_due": "not due",
    "revoked": "revoked",
    "still_works": "not refreshed",
    "failed": "failed",
}


@dataclass(frozen=True)
class Result:
    """What became of a connection: a key of `_OUTCOMES`, and how the connection is now."""

    report: CheckResult
    outcome: str


@click.command()
@names_argument
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
    """Refresh the tokens that are due, of the connections NAME; without NAME, of all.

    A worker: run it from cron, on any number of machines over one token store. Leases share out
    the work, so that no token is refreshed twice and none is left. Seeds that no run has
    exchanged yet are exchanged. A token that is not due is left alone, and a token is never
    refreshed with more than half of its life left, unless --force is given. A connection that was
    revoked is passed over. Workers that are started together with --force share the work, too: a
    token that is younger than the worker's process is not refreshed again.

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
    with open_existing(config, *names, begins=True) as manager:
        results = _refresh(manager, names, force=force)
    for note in condition.told(note for r in results for note in condition.notes(r.report)):
        tell(note)
    if as_json:
        print_json([_shown(result) for result in results])
    else:
        click.echo(_summary(results, force=force))
    sys.exit(_exit_code(results))


def _refresh(manager: TokenManager, names: tuple[str, ...], *, force: bool) -> list[Result]:
    # Workers that are started together share the work also if one of them takes longer to start.
    started = manager.store.now() - (time.monotonic() - (command.begun or time.monotonic()))
    reports = condition.look_at_all(manager, names)
    if not names:
        reports = [report for report in reports if not condition.is_revoked(report)]
    due = [report.connection for report in reports if _is_due(report, force=force)]
    # Workers that begin at the same time should not all begin with the same connection.
    secrets.SystemRandom().shuffle(due)
    with progress("Refreshing", len(due)) as done:
        checked = check_all(manager, due, verify=False, force=force, since=started, done=done)
    now_known = {report.connection.name: report for report in checked}
    return [_result(now_known.get(before.connection.name), before) for before in reports]


def _is_due(report: CheckResult, *, force: bool) -> bool:
    """Whether there is something to do, or to tell, beyond using the stored token."""
    if force or condition.is_revoked(report):
        return not condition.is_revoked(report)
    attempt = report.record.attempt if report.record else None
    unsettled = attempt is not None and attempt.outcome != "refused"
    return report.held is None or report.held.warning is not None or unsettled


def _result(after: CheckResult | None, before: CheckResult) -> Result:
    if after is None:
        return Result(before, "revoked" if condition.is_revoked(before) else "not_due")
    if after.held is not None and after.held.renewal is not None:
        return Result(after, after.held.renewal)
    if after.error is not None:
        return Result(after, "failed")
    if after.held is not None and after.held.warning is not None:
        return Result(after, "still_works")
    moved = _generation(after.record) != _generation(before.record)
    return Result(after, "done_elsewhere" if moved else "not_due")


def _generation(record: StoredConnection | None) -> int:
    return record.generation if record else 0


def _exit_code(results: list[Result]) -> int:
    code = condition.exit_code_of([result.report for result in results])
    if code == 0 and any(result.outcome == "still_works" for result in results):
        return EXIT_ERROR
    return code


def _summary(results: list[Result], *, force: bool) -> str:
    order = list(_OUTCOMES)
    found = sorted(results, key=lambda result: order.index(result.outcome))
    counts = Counter(_words(result, force=force) for result in found)
    told = [f"{count} {words}" for words, count in counts.items()]
    return ", ".join(told) or "there was nothing to do"


def _words(result: Result, *, force: bool) -> str:
    words = _OUTCOMES[result.outcome]
    if force and result.outcome == "not_due":
        # All that can be refreshed is due: the rest has no refresh token.
        return "with nothing to refresh"
    # Whether its token still works is what one wants to know next.
    return f"{words} ({status_of(result.report)})" if result.outcome == "still_works" else words


def _shown(result: Result) -> dict[str, Any]:
    report = result.report
    token = report.record.token if report.record else None
    error = report.error or (report.held.warning if report.held else None)
    connection: Connection = report.connection
    return {
        "connection": connection.name,
        "api": connection.api,
        "outcome": result.outcome,
        "status": status_of(report),
        "access_token_expires_at": rfc3339(token.expires_at if token else None),
        "consent_deadline": rfc3339(token.consent_deadline if token else None),
        "error_code": error.code if error else None,
        "error_message": error.cause if error else None,
        "request_id": error.request_id if error else None,
    }
