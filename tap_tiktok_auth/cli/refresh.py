"""`tiktok-auth refresh`."""

from __future__ import annotations

import secrets
import sys
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from tap_tiktok_auth import command
from tap_tiktok_auth.cli import common, connections_view, output
from tap_tiktok_auth.credentials import health
from tap_tiktok_auth.credentials.checks import check_all
from tap_tiktok_auth.times import rfc3339

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager

#: The outcomes in the order of the summary, and their words there.
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


@click.command()
@common.names_argument
@common.config_option
@click.option(
    "--due-within",
    type=common.duration,
    metavar="DURATION",
    help="Refresh what has less time left: 90s, 30m, 6h, 2d. Default: the setting refresh_margin.",
)
@click.option("--force", is_flag=True, help="Refresh also what is not due.")
@common.json_option
def refresh(
    names: tuple[str, ...],
    config_paths: tuple[str, ...],
    due_within: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Refresh the tokens that are due, of the connections NAME; without NAME, of all.

    A worker: run it from cron, on any number of machines over one token store. Leases divide the
    work: no token is refreshed twice, and none is missed. Seeds that no run has exchanged yet are
    exchanged. A token that is not due is left alone, and a token is never refreshed with more than
    half of its lifetime left, unless --force is given. A connection that was revoked is skipped.
    Workers that are started together with --force share the work, too: a token that is younger
    than the worker's process is not refreshed again.

    Exit code 3 if a person must authorise, 1 if something else kept a token from being
    refreshed, else 0.

    \b
      tiktok-auth refresh
      tiktok-auth refresh --due-within 6h
      tiktok-auth refresh acme --force --json
      */10 * * * *  tiktok-auth refresh --config /etc/tiktok.json
    """
    config = common.load(config_paths)
    if due_within is not None:
        config = replace(config, refresh_margin=int(due_within))
    with common.open_existing(config, *names, begins=True) as manager:
        found = _refresh(manager, names, force=force)
    results = [result for result, _ in found]
    messages = (message for result in results for message in connections_view.messages(result))
    for line in connections_view.message_lines(messages):
        output.tell(line)
    if as_json:
        output.print_json([_as_json(result, outcome) for result, outcome in found])
    else:
        click.echo(_summary(found, force=force))
    code = connections_view.exit_code(results)
    if code == 0 and any(outcome == "still_works" for _, outcome in found):
        code = output.EXIT_ERROR
    sys.exit(code)


def _refresh(
    manager: TokenManager, names: tuple[str, ...], *, force: bool
) -> list[tuple[CheckResult, str]]:
    """Refresh what is due; return each connection's state and outcome, a key of `_OUTCOMES`."""
    # Workers that are started together share the work also if one of them takes longer to start.
    started = manager.store.now() - (time.monotonic() - (command.begun or time.monotonic()))
    results = health.assess_all(manager, names)
    if not names:
        results = [result for result in results if not health.is_revoked(result)]
    due = [result.connection for result in results if _is_due(result, force=force)]
    # Workers that begin at the same time should not all begin with the same connection.
    secrets.SystemRandom().shuffle(due)
    with output.progress("Refreshing", len(due)) as done:
        checked = check_all(manager, due, verify=False, force=force, since=started, done=done)
    by_name = {result.connection.name: result for result in checked}
    pairs = ((by_name.get(before.connection.name, before), before) for before in results)
    return [(after, _outcome(after, before)) for after, before in pairs]


def _is_due(result: CheckResult, *, force: bool) -> bool:
    """Whether there is something to do, or to tell, beyond using the stored token."""
    if force or health.is_revoked(result):
        return not health.is_revoked(result)
    attempt = result.stored.attempt if result.stored else None
    unsettled = attempt is not None and attempt.outcome != "refused"
    return result.credentials is None or result.credentials.warning is not None or unsettled


def _outcome(after: CheckResult, before: CheckResult) -> str:
    if after is before:
        return "revoked" if health.is_revoked(before) else "not_due"
    if after.credentials is not None and after.credentials.renewal is not None:
        return after.credentials.renewal
    if after.error is not None:
        return "failed"
    if after.credentials is not None and after.credentials.warning is not None:
        return "still_works"
    moved = _generation(after) != _generation(before)
    return "done_elsewhere" if moved else "not_due"


def _generation(result: CheckResult) -> int:
    return result.stored.generation if result.stored else 0


def _summary(pairs: list[tuple[CheckResult, str]], *, force: bool) -> str:
    words = {**_OUTCOMES}
    if force:  # all that can be refreshed is due: the rest has no refresh token
        words["not_due"] = "with nothing to refresh"
    order = list(words)
    counts: Counter[str] = Counter()
    for result, outcome in sorted(pairs, key=lambda pair: order.index(pair[1])):
        # Whether a token that was not refreshed still works is what one wants to know next.
        status = f" ({health.status_of(result)})" if outcome == "still_works" else ""
        counts[words[outcome] + status] += 1
    found = [f"{count} {text}" for text, count in counts.items()]
    return ", ".join(found) or "there was nothing to do"


def _as_json(result: CheckResult, outcome: str) -> dict[str, Any]:
    token = result.stored.token if result.stored else None
    error = result.error or (result.credentials.warning if result.credentials else None)
    return {
        "connection": result.connection.name,
        "api": result.connection.api,
        "outcome": outcome,
        "status": health.status_of(result),
        "access_token_expires_at": rfc3339(token.expires_at if token else None),
        "consent_deadline": rfc3339(token.consent_deadline if token else None),
        "error_code": error.code if error else None,
        "error_message": error.cause if error else None,
        "request_id": error.request_id if error else None,
    }
