"""What `status`, `refresh` and `doctor` show of connections: rows, sums, messages, exit codes."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from tap_tiktok_auth.cli.output import EXIT_AUTHORIZE, EXIT_ERROR, bar
from tap_tiktok_auth.credentials import health, lifecycle
from tap_tiktok_auth.errors import AuthorizationRequired
from tap_tiktok_auth.times import as_date, span_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_tiktok_auth.cli.output import Cell, Tone
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.models import Status
    from tap_tiktok_auth.errors import TikTokAuthError

T = TypeVar("T")

HEADINGS = ("connection", "api", "status", "time left", "consent ends")

#: The statuses, the most urgent first, and how they look.
_TONES: dict[Status, Tone] = {
    "reauthorization_required": "bad",
    "unconfirmed": "warn",
    "refresh_failing": "warn",
    "pending": "warn",
    "active": "good",
    "revoked": "dim",
}
#: From how many on messages that are alike are represented by the first of them.
_MANY = 6


def row(result: CheckResult, warning_days: int, *, bars: bool = False) -> tuple[Cell, ...]:
    """Return a connection as a row of a table.

    Args:
        result: Its state.
        warning_days: Days before the end of a consent when warnings begin.
        bars: Whether a bar shows the time that is left.
    """
    stored = result.stored
    left, share = _time_left(result)
    if bars and share:
        left = f"{bar(share)} {left}"
    deadline = stored.token.consent_deadline if stored and stored.token else None
    tone: Tone = "plain"
    if deadline and deadline - result.checked_at < warning_days * lifecycle.DAY:
        tone = "warn" if deadline > result.checked_at else "bad"
    status = health.status_of(result)
    return (
        (result.connection.name, "plain"),
        (result.connection.api, "plain"),
        (status, _TONES[status]),
        (left, "plain" if share is None else "good" if share else "bad"),
        (as_date(deadline) if deadline else "", tone),
    )


def _time_left(result: CheckResult) -> tuple[str, float | None]:
    """Return the time that a token has left, in words and as a share of its lifetime."""
    stored = result.stored
    if stored is None or stored.token is None:
        return "", None
    token = stored.token
    if stored.status == "reauthorization_required":
        return "ended", 0.0
    if token.expires_at is None:
        return ("long-term" if token.long_term else "unknown"), None
    left = token.expires_at - result.checked_at
    if left <= 0:
        return "expired", 0.0
    lifetime = token.expires_at - token.issued_at
    return span_text(left), min(left / lifetime, 1.0) if lifetime > 0 else 1.0


def totals(results: Sequence[CheckResult], days: int) -> str:
    """Return how many connections there are of each status, and how many end within *days*."""
    counts = Counter(map(health.status_of, results))
    found = f"{len(results)} connection" + ("" if len(results) == 1 else "s")
    found += ": " + ", ".join(f"{counts[status]} {status}" for status in _TONES if counts[status])
    within = days * lifecycle.DAY
    soon = sum(health.urgency(r)[0] > 0 and health.ends_within(r, within) for r in results)
    return found + (f"; {soon} will need a person within {days} days" if soon else "")


def exit_code(results: Iterable[CheckResult], *, soon: float | None = None) -> int:
    """Return 3 if a connection needs a person, 1 if one has another error, else 0.

    Args:
        results: The states of the connections.
        soon: What needs a person within so many seconds, or has a warning, counts as well.
    """
    results = [result for result in results if not health.is_revoked(result)]
    found = [result.error for result in results if result.error is not None]
    if soon is not None:
        found += [trouble for result in results for trouble in health.troubles(result)]
    ends = soon is not None and any(health.ends_within(result, soon) for result in results)
    final = any(isinstance(error, AuthorizationRequired) for error in found)
    if ends or final or any(map(health.needs_person, results)):
        return EXIT_AUTHORIZE
    return EXIT_ERROR if found else 0


def messages(result: CheckResult) -> list[TikTokAuthError]:
    """Return the warnings and the error of a connection."""
    found = [] if health.is_revoked(result) else [*result.warnings, result.error]
    return [error for error in found if error is not None]


def message_lines(errors: Iterable[TikTokAuthError]) -> list[str]:
    """Return the lines to print for errors of connections: few, however many there are."""
    lines = []
    for error, alike in grouped(errors, lambda error: f"{error.cause} {error.code}"):
        lines.append(str(error))
        lines += [others([other.connection or "" for other in alike])] if alike else []
    return lines


def grouped(things: Iterable[T], text: Callable[[T], str]) -> list[tuple[T, list[T]]]:
    """Return things to show, and with the first of many alike the others, which are not shown.

    Args:
        things: The things.
        text: Returns what is shown of one; texts that differ in numbers only are alike.
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
    """Return how many connections have no message of their own, and the first names."""
    first = ", ".join(names[:3])
    return f"{len(names)} more like this: {first}" + (", ..." if len(names) > 3 else "")
