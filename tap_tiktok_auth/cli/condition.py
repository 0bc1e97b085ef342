"""How connections are: looked up in the store, judged, and put into words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_tiktok_auth import lifecycle
from tap_tiktok_auth.broker import Held
from tap_tiktok_auth.checks import Report
from tap_tiktok_auth.cli.common import EXIT_AUTHORIZE, EXIT_ERROR
from tap_tiktok_auth.cli.tables import bar
from tap_tiktok_auth.cli.times import span_text
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    Revoked,
    StoreDamaged,
    TikTokAuthError,
    TryAgainLater,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_tiktok_auth.broker import Broker
    from tap_tiktok_auth.cli.tables import Cell, Tone
    from tap_tiktok_auth.connections import Connection
    from tap_tiktok_auth.records import Record

#: Statuses in words for a person, and how they look.
_WORDS: dict[str, Cell] = {
    "active": ("active", "good"),
    "refresh_failing": ("refresh failing", "warn"),
    "unconfirmed": ("unconfirmed", "warn"),
    "reauthorization_required": ("login needed", "bad"),
    "revoked": ("revoked", "dim"),
    "pending": ("pending", "warn"),
}

_TRIED_IN_VAIN = {"refresh_failing", "unconfirmed", "pending"}


def look_at_all(broker: Broker, connections: Iterable[Connection]) -> list[Report]:
    """Return how connections are, by what the store has of them; nobody is asked."""
    damaged: dict[str, StoreDamaged] = {}

    def note(name: str, api: str, error: StoreDamaged) -> None:
        del api
        damaged[name] = error

    stored = {record.name: record for record in broker.store.records(note)}
    return [
        Report(c, broker.store.now(), error=damaged[c.name].of(c.name))
        if c.name in damaged
        else look(broker, c, stored.get(c.name))
        for c in connections
    ]


def look(broker: Broker, connection: Connection, record: Record | None) -> Report:
    """Return how a connection is, by what the store has of it; nobody is asked."""
    now = broker.store.now()
    step = broker.outlook(connection, record)
    held, error, warnings = None, None, []
    if step.action == "stop":
        error = step.error
    elif step.action == "use" and record is not None:
        held = Held(connection, record, step.error)
        warnings += [step.error] if step.error else []
    elif record is not None:
        error = _last_failure(record, now)
    if record is not None and error is None:
        days = broker.config.consent_warning_days
        ending = lifecycle.consent_warning(record, now, days, told=step.error)
        warnings += [ending] if ending else []
    return Report(
        connection=connection,
        checked_at=now,
        record=record,
        held=held,
        error=error.of(connection.name) if error else None,
        warnings=tuple(warning.of(connection.name) for warning in warnings),
    )


def is_revoked(report: Report) -> bool:
    """Whether a person ended the connection, so that nothing is wrong with it."""
    return isinstance(report.error, Revoked)


def needs_person(report: Report) -> bool:
    """Whether a person must authorise, even if the token works for a while yet."""
    warning = report.held.warning if report.held else None
    return not is_revoked(report) and any(
        isinstance(error, AuthorizationRequired) for error in (report.error, warning)
    )


def exit_code_of(reports: Iterable[Report]) -> int:
    """Return 3 if a connection needs a person, 1 if one has another error, else 0."""
    reports = list(reports)
    if any(map(needs_person, reports)):
        return EXIT_AUTHORIZE
    failed = any(report.error is not None and not is_revoked(report) for report in reports)
    return EXIT_ERROR if failed else 0


def notes(report: Report) -> tuple[TikTokAuthError, ...]:
    """Return what to tell about a connection, in one line each."""
    if is_revoked(report):
        return ()
    errors = (*report.warnings, report.error)
    return tuple(error for error in errors if error is not None)


@dataclass(frozen=True)
class Line:
    """A connection as a line of a table.

    Attributes:
        name: Its name.
        api: Its token system.
        status: Its status; of one whose token has ended meanwhile, what that means.
        left: The time that the access token has left, in words.
        share: The same, as a share of the token's life; None if it has no timer.
        consent: The date on which the consent ends; empty if it has no known end.
        tone: How urgent the end of the consent is.
    """

    name: str
    api: str
    status: str
    left: str
    share: float | None
    consent: str
    tone: Tone

    def plain(self) -> tuple[str, ...]:
        """Return it as texts."""
        return (self.name, self.api, self.status, self.left, self.consent)

    def drawn(self) -> tuple[Cell, ...]:
        """Return it as cells for a terminal."""
        time_left: Cell = (self.left, "plain" if self.share is None else "bad")
        if self.share:
            time_left = (f"{bar(self.share)} {self.left}", "good")
        return (
            (self.name, "plain"),
            (self.api, "plain"),
            _WORDS[self.status],
            time_left,
            (self.consent, self.tone),
        )


def line(report: Report, warning_days: int) -> Line:
    """Return a connection as a line of a table.

    Args:
        report: How it is.
        warning_days: Days before the end of a consent when warnings begin.
    """
    record = report.record
    status = record.status if record else "pending"
    if needs_person(report):
        status = "reauthorization_required"
    left, share = _left(record, report.checked_at)
    token = record.token if record else None
    deadline = token.consent_deadline if token else None
    tone: Tone = "plain"
    if deadline and deadline - report.checked_at < warning_days * lifecycle.DAY:
        tone = "warn" if deadline > report.checked_at else "bad"
    return Line(
        name=report.connection.name,
        api=report.connection.api,
        status=status,
        left=left,
        share=share,
        consent=lifecycle.as_date(deadline) if deadline else "",
        tone=tone,
    )


def _left(record: Record | None, now: float) -> tuple[str, float | None]:
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


def _last_failure(record: Record, now: float) -> TikTokAuthError | None:
    """Return why there is no token that works, if getting one was tried in vain."""
    works = record.token is not None and record.token.state(now, 0) != "expired"
    if works or record.failure is None or record.status not in _TRIED_IN_VAIN:
        return None
    return TryAgainLater(
        record.failure.message,
        code=record.failure.code,
        request_id=record.request_id,
        next_step="Run: tiktok-auth refresh {connection}",
    )
