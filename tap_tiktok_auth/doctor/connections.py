"""How the connections are, by config and store alone: TikTok is not asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials import health, lifecycle
from tap_tiktok_auth.credentials.health import status_of
from tap_tiktok_auth.doctor.findings import Finding, from_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.tokens import Token
    from tap_tiktok_auth.doctor.findings import Level

_CHECK = "connection"


def check_connections(manager: TokenManager, reports: list[CheckResult]) -> Iterator[Finding]:
    """Look at each connection; one that cannot be read does not hide the others."""
    for report in reports:
        yield from _check_seed(manager, report)
        yield _check(report)


def _check(report: CheckResult) -> Finding:
    status, record = status_of(report), report.record
    if report.error is not None and not health.is_revoked(report):
        return from_error(_CHECK, report.error, status=status)
    for trouble in health.troubles(report):
        level: Level = "problem" if health.needs_person(report) else "warning"
        return from_error(_CHECK, trouble, level, status=status)
    if health.is_revoked(report):
        return _info(report, "a person ended it")
    if record is not None and record.attempt is not None:
        begun = lifecycle.as_time(record.attempt.at)
        return _info(report, f"a token request of {begun} is under way, or was cut short")
    if record is None or record.token is None:
        return _info(report, "no run has used its seed yet")
    lasts = _lasts(record.token, report.checked_at)
    return Finding(_CHECK, "ok", f"{record.api}, {lasts}", connection=record.name, status=status)


def _info(report: CheckResult, message: str) -> Finding:
    name = report.connection.name
    return Finding(_CHECK, "info", message, connection=name, status=status_of(report))


def _check_seed(manager: TokenManager, report: CheckResult) -> Iterator[Finding]:
    """Tell of a seed that was used up and stands in the config still: harmless, but confusing."""
    seed, record = report.connection.seed, report.record
    if seed is None or record is None or seed.kind not in {"auth_code", "refresh_token"}:
        return
    digest = manager.store.digest(seed.material)
    if digest == record.seed_hash or digest in record.spent_seeds:
        yield _info(report, f"the {seed.kind} of the config was used, and does nothing any more")


def _lasts(token: Token, now: float) -> str:
    if token.consent_deadline is not None:
        return f"refreshed by itself until {lifecycle.as_date(token.consent_deadline)}"
    if token.expires_at is None:
        return "its token does not expire" if token.long_term else "its token's end is not known"
    if token.expires_at <= now:
        return "its token has expired, and the next run renews it"
    return f"its token works until {lifecycle.as_time(token.expires_at)}"
