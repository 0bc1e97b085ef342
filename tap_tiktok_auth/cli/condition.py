"""How connections are: looked up in the store, judged, and put into words."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tap_tiktok_auth.cli.common import EXIT_AUTHORIZE, EXIT_ERROR
from tap_tiktok_auth.cli.tables import bar
from tap_tiktok_auth.credentials import lifecycle
from tap_tiktok_auth.credentials.checks import CheckResult
from tap_tiktok_auth.credentials.manager import Credentials
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    Revoked,
    StoreDamaged,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.metadata import status_of
from tap_tiktok_auth.times import as_date, as_time, span_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_tiktok_auth.cli.tables import Cell, Tone
    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import Status, StoredConnection

T = TypeVar("T")

DAY = 86_400.0

#: The statuses, the most urgent first, and how they look.
_TONES: dict[Status, Tone] = {
    "reauthorization_required": "bad",
    "unconfirmed": "warn",
    "refresh_failing": "warn",
    "pending": "warn",
    "active": "good",
    "revoked": "dim",
}

_TRIED_IN_VAIN = {"refresh_failing", "unconfirmed", "pending"}
#: The urgency of a connection that needs nobody.
WELL = 4
#: From how many on things that are alike are told by the first of them.
_MANY = 6


def look_at_all(manager: TokenManager, names: Iterable[str] = ()) -> list[CheckResult]:
    """Return how connections are, by one look into the store; nobody is asked.

    Args:
        manager: The manager.
        names: Of these connections, each once; of all if there are no names.

    Raises:
        ConfigurationError: There is none, or none of such a name.
    """
    unique = dict.fromkeys(names)
    found = [_stored(manager, name) for name in unique] if unique else manager.registry.survey()
    return [
        CheckResult(connection, manager.store.now(), error=stored.of(connection.name))
        if isinstance(stored, StoreDamaged)
        else look(manager, connection, stored)
        for connection, stored in found
    ]


def _stored(
    manager: TokenManager, name: str
) -> tuple[Connection, StoredConnection | StoreDamaged | None]:
    connection = manager.connection(name)
    try:
        return connection, manager.store.read(name)
    except StoreDamaged as error:
        return connection, error


def look(
    manager: TokenManager, connection: Connection, record: StoredConnection | None
) -> CheckResult:
    """Return how a connection is, by what the store has of it; nobody is asked."""
    now = manager.store.now()
    step = manager.outlook(connection, record)
    held, error, warnings = None, None, []
    if step.action == "stop":
        error = step.error
    elif step.action == "use" and record is not None:
        held = Credentials(connection, record, step.error)
        warnings += [step.error] if step.error else []
    elif record is not None and not _works(record, now):
        error = _last_failure(record)
    if record is not None and error is None:
        days = manager.config.consent_warning_days
        ending = lifecycle.consent_warning(record, now, days, told=step.error)
        warnings += [ending] if ending else []
    return CheckResult(
        connection=connection,
        checked_at=now,
        record=record,
        held=held,
        error=error.of(connection.name) if error else None,
        warnings=tuple(warning.of(connection.name) for warning in warnings),
    )


def is_revoked(report: CheckResult) -> bool:
    """Whether a person ended the connection, so that nothing is wrong with it."""
    return isinstance(report.error, Revoked)


def needs_person(report: CheckResult) -> bool:
    """Whether a person must authorise, even if the token works for a while yet."""
    warning = report.held.warning if report.held else None
    return not is_revoked(report) and any(
        isinstance(error, AuthorizationRequired) for error in (report.error, warning)
    )


def exit_code_of(reports: Iterable[CheckResult], *, soon: float | None = None) -> int:
    """Return 3 if a connection needs a person, 1 if one has another error, else 0.

    Args:
        reports: How the connections are.
        soon: What needs a person within so many seconds, or has a warning, counts as well.
    """
    reports = [report for report in reports if not is_revoked(report)]
    found = [report.error for report in reports if report.error is not None]
    if soon is not None:
        found += [trouble for report in reports for trouble in troubles(report)]
    ends = soon is not None and any(ends_within(report, soon) for report in reports)
    final = any(isinstance(error, AuthorizationRequired) for error in found)
    if ends or final or any(map(needs_person, reports)):
        return EXIT_AUTHORIZE
    return EXIT_ERROR if found else 0


def notes(report: CheckResult) -> tuple[TikTokAuthError, ...]:
    """Return what to tell about a connection, in one line each."""
    if is_revoked(report):
        return ()
    errors = (*report.warnings, report.error)
    return tuple(error for error in errors if error is not None)


def troubles(report: CheckResult) -> list[TikTokAuthError]:
    """Return all that is wrong with a connection, or will be, the gravest first."""
    if is_revoked(report):
        return []
    failed = None
    if report.error is None and report.record is not None:
        failed = _last_failure(report.record)
    warning = report.held.warning if report.held else None
    found = (report.error, warning, failed, *report.warnings)
    return list(dict.fromkeys(error for error in found if error is not None))


def urgency(report: CheckResult) -> tuple[int, float]:
    """Return what sorts connections by how soon they need someone; from WELL on they do not."""
    if is_revoked(report):
        return WELL + 1, 0.0
    if needs_person(report):
        return 0, 0.0 if report.held is None else 1.0
    if report.error is not None:
        return 1, 0.0
    if status_of(report) in {"unconfirmed", "refresh_failing"}:
        return 2, 0.0
    return (3, ends_at(report)) if report.warnings else (WELL, 0.0)


def ends_at(report: CheckResult) -> float:
    """Return when a person is needed at the latest, seconds since the epoch."""
    record = report.record
    if record is None or record.token is None:
        return math.inf
    token = record.token
    if token.consent_deadline is not None:
        return token.consent_deadline
    renewable = lifecycle.can_renew(record, report.checked_at)
    return math.inf if renewable or token.expires_at is None else token.expires_at


def ends_within(report: CheckResult, seconds: float) -> bool:
    """Whether a person is needed within so many seconds, or already."""
    return ends_at(report) < report.checked_at + seconds


def sums(reports: Sequence[CheckResult], days: int) -> str:
    """Return how many connections there are of each status, and how many end within *days*."""
    counts = Counter(status_of(report) for report in reports)
    found = f"{len(reports)} connection" + ("" if len(reports) == 1 else "s")
    found += ": " + ", ".join(f"{counts[status]} {status}" for status in _TONES if counts[status])
    soon = sum(urgency(r)[0] > 0 and ends_within(r, days * DAY) for r in reports)
    return found + (f"; {soon} will need a person within {days} days" if soon else "")


def grouped(things: Iterable[T], text: Callable[[T], str]) -> list[tuple[T, list[T]]]:
    """Return things to tell, and with the first of many alike the others, which are not told.

    Args:
        things: The things.
        text: Returns what is told of one; texts that differ in numbers only are alike.
    """
    groups: dict[str, list[T]] = {}
    for thing in things:
        groups.setdefault(re.sub(r"request id \w+|\d+", "0", text(thing)), []).append(thing)
    found: list[tuple[T, list[T]]] = []
    for group in groups.values():
        few = len(group) < _MANY
        found += [(one, []) for one in group] if few else [(group[0], group[1:])]
    return found


def others(names: Sequence[str]) -> str:
    """Return the names of connections that are not told of, as a few words."""
    first = ", ".join(names[:3])
    return f"{len(names)} more like this: {first}" + (", ..." if len(names) > 3 else "")


def told(errors: Iterable[TikTokAuthError]) -> list[str]:
    """Return the lines to tell of errors of connections: few, however many there are."""
    lines = []
    for error, alike in grouped(errors, lambda error: f"{error.cause} {error.code}"):
        lines.append(str(error))
        lines += [others([other.connection or "" for other in alike])] if alike else []
    return lines


@dataclass(frozen=True)
class Line:
    """A connection as a line of a table.

    Attributes:
        name: Its name.
        api: Its token system.
        status: Its status.
        left: The time that the access token has left, in words.
        share: The same, as a share of the token's life; None if it has no timer.
        consent: The date on which the consent ends; empty if it has no known end.
        tone: How urgent the end of the consent is.
    """

    name: str
    api: str
    status: Status
    left: str
    share: float | None
    consent: str
    tone: Tone

    def plain(self) -> tuple[str, ...]:
        """Return it as texts."""
        return (self.name, self.api, self.status, self.left, self.consent)

    def drawn(self, *, bars: bool = True) -> tuple[Cell, ...]:
        """Return it as cells for a terminal."""
        time_left: Cell = (self.left, "plain" if self.share is None else "bad")
        if self.share:
            time_left = (f"{bar(self.share)} {self.left}" if bars else self.left, "good")
        return (
            (self.name, "plain"),
            (self.api, "plain"),
            (self.status, _TONES[self.status]),
            time_left,
            (self.consent, self.tone),
        )


def line(report: CheckResult, warning_days: int) -> Line:
    """Return a connection as a line of a table.

    Args:
        report: How it is.
        warning_days: Days before the end of a consent when warnings begin.
    """
    record = report.record
    left, share = _left(record, report.checked_at)
    token = record.token if record else None
    deadline = token.consent_deadline if token else None
    tone: Tone = "plain"
    if deadline and deadline - report.checked_at < warning_days * lifecycle.DAY:
        tone = "warn" if deadline > report.checked_at else "bad"
    return Line(
        name=report.connection.name,
        api=report.connection.api,
        status=status_of(report),
        left=left,
        share=share,
        consent=as_date(deadline) if deadline else "",
        tone=tone,
    )


def _left(record: StoredConnection | None, now: float) -> tuple[str, float | None]:
    """Return the time that a token has left, in words and as a share of its life."""
    if record is None or record.token is None:
        return "", None
    token = record.token
    if record.status == "reauthorization_required":
        return "ended", 0.0
    if token.expires_at is None:
        return ("long-term" if token.long_term else "unknown"), None
    left = token.expires_at - now
    if left <= 0:
        return "expired", 0.0
    life = token.expires_at - token.issued_at
    return span_text(left), min(left / life, 1.0) if life > 0 else 1.0


def _works(record: StoredConnection, now: float) -> bool:
    return record.token is not None and record.token.state(now, 0) != "expired"


def _last_failure(record: StoredConnection) -> TikTokAuthError | None:
    """Return why the token could not be renewed, or none was to be had, if so."""
    failure = record.failure
    if failure is None or record.status not in _TRIED_IN_VAIN:
        return None
    what = "refresh" if record.token else "token request"
    refused = record.attempt is not None and record.attempt.outcome == "refused"
    kind = AuthorizationRequired if refused else TryAgainLater
    return kind(
        f"its last {what}, at {as_time(failure.at)}, failed: {failure.message}",
        code=failure.code,
        request_id=record.request_id,
        next_step=lifecycle.LOGIN if refused else "Run: tiktok-auth refresh {connection}",
    ).of(record.name)
