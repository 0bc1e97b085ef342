"""Health of connections by what the store has of them: status, troubles, and who is needed when.

TikTok is not asked; `checks` does that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials import lifecycle
from tap_tiktok_auth.credentials.checks import CheckResult
from tap_tiktok_auth.credentials.models import Credentials
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    NoAnswer,
    Revoked,
    StoreDamaged,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.times import as_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import Status, StoredConnection

#: The urgency of a connection that needs nobody.
WELL = 4


def assess_all(manager: TokenManager, names: Iterable[str] = ()) -> list[CheckResult]:
    """Return how connections are, by one look into the store.

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
        else assess(manager, connection, stored)
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


def assess(
    manager: TokenManager, connection: Connection, stored: StoredConnection | None
) -> CheckResult:
    """Return how a connection is."""
    now = manager.store.now()
    step = manager.outlook(connection, stored)
    credentials, error, warnings = None, None, []
    if step.action == "stop":
        error = step.error
    elif step.action == "use" and stored is not None:
        credentials = Credentials(connection, stored, step.error)
        warnings += [step.error] if step.error else []
    elif stored is not None and not _works(stored, now):
        error = _last_failure(stored)
    if stored is not None and error is None:
        days = manager.config.consent_warning_days
        ending = lifecycle.consent_warning(stored, now, days, told=step.error)
        warnings += [ending] if ending else []
    return CheckResult(
        connection=connection,
        checked_at=now,
        stored=stored,
        credentials=credentials,
        error=error.of(connection.name) if error else None,
        warnings=tuple(warning.of(connection.name) for warning in warnings),
    )


def status_of(result: CheckResult) -> Status:
    """Return a connection's status: the one word for it wherever it is shown.

    A token that has ended and that nothing can renew needs a person, whatever the store has noted
    so far. A configured seed that TikTok refuses, or does not answer, counts even if the store
    still has a chain from another one.
    """
    stored, error = result.stored, result.error
    if stored is None:
        return "pending"
    if isinstance(error, NoAnswer) and stored.attempt is not None:
        return "unconfirmed"
    if isinstance(error, AuthorizationRequired) and stored.token is not None:
        return "reauthorization_required"
    return stored.status


def is_revoked(result: CheckResult) -> bool:
    """Whether a person ended the connection, so that nothing is wrong with it."""
    return isinstance(result.error, Revoked)


def needs_person(result: CheckResult) -> bool:
    """Whether a person must authorise, even if the token works for a while yet."""
    warning = result.credentials.warning if result.credentials else None
    return not is_revoked(result) and any(
        isinstance(error, AuthorizationRequired) for error in (result.error, warning)
    )


def troubles(result: CheckResult) -> list[TikTokAuthError]:
    """Return all that is wrong with a connection, or will be, the gravest first."""
    if is_revoked(result):
        return []
    failed = None
    if result.error is None and result.stored is not None:
        failed = _last_failure(result.stored)
    warning = result.credentials.warning if result.credentials else None
    found = (result.error, warning, failed, *result.warnings)
    return list(dict.fromkeys(error for error in found if error is not None))


def urgency(result: CheckResult) -> tuple[int, float]:
    """Return what sorts connections by how soon they need someone; from WELL on they do not."""
    if is_revoked(result):
        return WELL + 1, 0.0
    if needs_person(result):
        return 0, 0.0 if result.credentials is None else 1.0
    if result.error is not None:
        return 1, 0.0
    if status_of(result) in {"unconfirmed", "refresh_failing"}:
        return 2, 0.0
    return (3, ends_at(result)) if result.warnings else (WELL, 0.0)


def ends_at(result: CheckResult) -> float:
    """Return when a person is needed at the latest, seconds since the epoch."""
    stored = result.stored
    if stored is None or stored.token is None:
        return math.inf
    token = stored.token
    if token.consent_deadline is not None:
        return token.consent_deadline
    renewable = lifecycle.can_renew(stored, result.checked_at)
    return math.inf if renewable or token.expires_at is None else token.expires_at


def ends_within(result: CheckResult, seconds: float) -> bool:
    """Whether a person is needed within so many seconds, or already."""
    return ends_at(result) < result.checked_at + seconds


def _works(stored: StoredConnection, now: float) -> bool:
    return stored.token is not None and stored.token.state(now, 0) != "expired"


def _last_failure(stored: StoredConnection) -> TikTokAuthError | None:
    """Return why the last attempt to renew or get the token failed, if it did."""
    failure = stored.failure
    if failure is None or stored.status not in {"refresh_failing", "unconfirmed", "pending"}:
        return None
    what = "refresh" if stored.token else "token request"
    refused = stored.attempt is not None and stored.attempt.outcome == "refused"
    kind = AuthorizationRequired if refused else TryAgainLater
    return kind(
        f"its last {what}, at {as_time(failure.at)}, failed: {failure.message}",
        code=failure.code,
        request_id=stored.request_id,
        next_step=lifecycle.LOGIN if refused else "Run: tiktok-auth refresh {connection}",
    ).of(stored.name)
