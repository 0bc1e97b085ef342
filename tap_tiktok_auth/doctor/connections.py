"""How the connections are, by config and store alone: TikTok is not asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth import lifecycle
from tap_tiktok_auth.doctor.findings import Finding, from_error
from tap_tiktok_auth.errors import AuthorizationRequired, TikTokAuthError, TryAgainLater

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.broker import Broker
    from tap_tiktok_auth.connections import Connection
    from tap_tiktok_auth.records import Record

_CHECK = "connection"


def check_connections(broker: Broker, connections: list[Connection]) -> Iterator[Finding]:
    """Look at each connection; one that cannot be read does not hide the others."""
    for connection in connections:
        try:
            record = broker.store.read(connection.name)
            yield from check_connection(broker, connection, record)
        except TikTokAuthError as error:
            yield from_error(_CHECK, error.of(connection.name))


def check_connection(
    broker: Broker, connection: Connection, record: Record | None
) -> Iterator[Finding]:
    """Look at one connection.

    Args:
        broker: Knows what obtaining its token would begin with.
        connection: The connection.
        record: What the store has of it.
    """
    name = connection.name
    yield from _check_seed(broker, connection, record)
    if record is not None and record.status == "revoked":
        yield Finding(_CHECK, "info", f"connection {name}: a person revoked its token")
        return
    step = broker.outlook(connection, record)
    error = step.error
    if error is not None:
        grave = step.action == "stop" or isinstance(error, AuthorizationRequired)
        yield from_error(_CHECK, error.of(name), "problem" if grave else "warning")
        return
    if record is None:
        yield Finding(_CHECK, "info", f"connection {name}: its seed is not used yet")
        return
    yield from _check_record(broker, record)


def _check_record(broker: Broker, record: Record) -> Iterator[Finding]:
    failure = record.failure
    if record.status in {"refresh_failing", "unconfirmed"} and failure is not None:
        when = lifecycle.as_time(failure.at)
        troubled = TryAgainLater(
            f"its last refresh, at {when}, failed: {failure.message}",
            code=failure.code,
            request_id=record.request_id,
            next_step="Run: tiktok-auth refresh {connection}",
        )
        yield from_error(_CHECK, troubled.of(record.name), "warning")
        return
    now, days = broker.store.now(), broker.config.consent_warning_days
    ending = lifecycle.consent_warning(record, now, days)
    if ending is not None:
        yield from_error(_CHECK, ending.of(record.name), "warning")
        return
    yield Finding(_CHECK, "ok", f"connection {record.name}: {record.api}, {_lasts(record)}")


def _check_seed(broker: Broker, connection: Connection, record: Record | None) -> Iterator[Finding]:
    """Tell of a seed that was used up and stands in the config still: harmless, but confusing."""
    seed = connection.seed
    if seed is None or record is None or seed.kind not in {"auth_code", "refresh_token"}:
        return
    digest = broker.store.digest(seed.material)
    if digest == record.seed_hash or digest in record.spent_seeds:
        yield Finding(
            _CHECK,
            "info",
            f"connection {connection.name}: the {seed.kind} of the config was used, and does "
            "nothing any more",
        )


def _lasts(record: Record) -> str:
    token = record.token
    if token is None or token.expires_at is None:
        return "its token has no timer"
    if token.consent_deadline is not None:
        return f"refreshed by itself until {lifecycle.as_date(token.consent_deadline)}"
    return f"its token works until {lifecycle.as_time(token.expires_at)}"
