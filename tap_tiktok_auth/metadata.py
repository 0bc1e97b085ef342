"""What may be shown of connections and events: no secret, times in RFC 3339."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.credentials.health import status_of
from tap_tiktok_auth.credentials.lifecycle import consent_days_left
from tap_tiktok_auth.errors import Revoked
from tap_tiktok_auth.times import rfc3339

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import StoredConnection, StoredEvent
    from tap_tiktok_auth.credentials.tokens import TokenState


def token_metadata(report: CheckResult, manager: TokenManager) -> dict[str, Any]:
    """Return a connection's row of the stream `token_metadata`.

    Args:
        report: How the connection is.
        manager: For its store and config.
    """
    record, store = report.record, manager.store
    error = None if isinstance(report.error, Revoked) else report.error
    token = record.token if record else None
    failure = record.failure if record else None
    app = report.connection.app
    granted = None
    if APIS[report.connection.api].has_advertisers and record is not None:
        chosen = report.connection.advertiser_ids
        granted = sum(
            seen.lost_at is None and (not chosen or seen.advertiser_id in chosen)
            for seen in store.advertisers(record.name)
        )
    return {
        "connection": report.connection.name,
        "api": report.connection.api,
        "app_id": (record.app_id if record else None) or (app.app_id if app else None),
        "status": status_of(report),
        "token_state": token_state(record, report.checked_at, manager.config.refresh_margin),
        "token_fingerprint": store.fingerprint(token.access_token) if token else None,
        "token_lifetime": token.lifetime if token else None,
        "refreshable": token.refreshable if token else None,
        "subject_id": record.subject_id if record else None,
        "scopes": list(record.scopes) if record and record.scopes is not None else None,
        "advertiser_count": granted,
        "obtained_by": record.obtained_by if record else None,
        "issued_at": rfc3339(token.issued_at if token else None),
        "access_token_expires_at": rfc3339(token.expires_at if token else None),
        "refresh_token_expires_at": rfc3339(token.refresh_expires_at if token else None),
        "consent_deadline": rfc3339(token.consent_deadline if token else None),
        "consent_days_left": consent_days_left(token, report.checked_at),
        "last_refreshed_at": rfc3339(record.last_refreshed_at if record else None),
        "refresh_count": record.refresh_count if record else None,
        "last_error_code": failure.code if failure else (error.code if error else None),
        "last_error_message": failure.message if failure else (error.cause if error else None),
        "last_error_at": rfc3339(failure.at if failure else (report.checked_at if error else None)),
        "request_id": (error.request_id if error else None)
        or (record.request_id if record else None),
        "verified_at": rfc3339(record.verified_at if record and report.verified else None),
        "checked_at": rfc3339(report.checked_at),
    }


def token_state(record: StoredConnection | None, now: float, margin: float) -> TokenState | None:
    """Return the state of a record's token; one that TikTok refuses counts as expired."""
    if record is None or record.token is None:
        return None
    if record.status == "reauthorization_required":
        return "expired"
    return record.token.state(now, margin)


def token_event(stored: StoredEvent) -> dict[str, Any]:
    """Return an event as a row of the stream `token_events`."""
    event = stored.event
    return {
        "event_id": f"{stored.event_id:016d}",
        "connection": event.connection,
        "event": event.name,
        "occurred_at": rfc3339(stored.occurred_at),
        "fingerprint_before": event.fingerprint_before,
        "fingerprint_after": event.fingerprint_after,
        "advertiser_id": event.advertiser_id,
        "error_code": event.error_code,
        "error_message": event.error_message,
        "request_id": event.request_id,
        "host": stored.host,
        "pid": stored.pid,
        "tap_version": stored.tap_version,
    }
