"""What is shown of connections and events, by streams and by `--json` alike: no secret."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import Account
from tap_tiktok_auth.credentials.data_calls import call
from tap_tiktok_auth.credentials.health import status_of
from tap_tiktok_auth.credentials.lifecycle import consent_days_left
from tap_tiktok_auth.errors import PermissionMissing, Revoked
from tap_tiktok_auth.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import (
        AdvertiserAccess,
        StoredConnection,
        StoredEvent,
        TokenState,
    )


def token_metadata(result: CheckResult, manager: TokenManager) -> dict[str, Any]:
    """Return a connection's row of the stream `token_metadata`."""
    connection, stored = result.connection, result.stored
    error = None if isinstance(result.error, Revoked) else result.error
    token = stored.token if stored else None
    failure = stored.failure if stored else None
    app_id = connection.app.app_id if connection.app else None
    granted = None
    if stored is not None and APIS[connection.api].has_advertisers:
        granted = sum(access.lost_at is None for access in advertisers(result, manager))
    return {
        "connection": connection.name,
        "api": connection.api,
        "app_id": (stored.app_id if stored else None) or app_id,
        "status": status_of(result),
        "token_state": _token_state(stored, result.checked_at, manager.config.refresh_margin),
        "token_fingerprint": manager.store.fingerprint(token.access_token) if token else None,
        "token_lifetime": token.lifetime if token else None,
        "refreshable": token.refreshable if token else None,
        "subject_id": stored.subject_id if stored else None,
        "scopes": list(stored.scopes) if stored and stored.scopes is not None else None,
        "advertiser_count": granted,
        "obtained_by": stored.obtained_by if stored else None,
        "issued_at": rfc3339(token.issued_at if token else None),
        "access_token_expires_at": rfc3339(token.expires_at if token else None),
        "refresh_token_expires_at": rfc3339(token.refresh_expires_at if token else None),
        "consent_deadline": rfc3339(token.consent_deadline if token else None),
        "consent_days_left": consent_days_left(token, result.checked_at),
        "last_refreshed_at": rfc3339(stored.last_refreshed_at if stored else None),
        "refresh_count": stored.refresh_count if stored else None,
        "last_error_code": failure.code if failure else (error.code if error else None),
        "last_error_message": failure.message if failure else (error.cause if error else None),
        "last_error_at": rfc3339(failure.at if failure else (result.checked_at if error else None)),
        "request_id": (error.request_id if error else None)
        or (stored.request_id if stored else None),
        "verified_at": rfc3339(stored.verified_at if stored and result.verified else None),
        "checked_at": rfc3339(result.checked_at),
    }


def _token_state(stored: StoredConnection | None, now: float, margin: float) -> TokenState | None:
    """Return the state of a stored token; one that TikTok refuses counts as expired."""
    if stored is None or stored.token is None:
        return None
    if stored.status == "reauthorization_required":
        return "expired"
    return stored.token.state(now, margin)


def advertisers(result: CheckResult, manager: TokenManager) -> Iterator[AdvertiserAccess]:
    """Return the ad accounts of a connection, without those that its settings do not name."""
    chosen = result.connection.advertiser_ids
    for access in manager.store.advertisers(result.connection.name):
        if not chosen or access.advertiser_id in chosen:
            yield access


def tiktok_account(manager: TokenManager, result: CheckResult) -> Account | None:
    """Return the TikTok account that a token speaks for; None for advertisers and brands.

    Raises:
        TikTokAuthError: The call fails for another reason than a missing permission.
    """
    credentials = result.credentials
    if credentials is None or credentials.stored.subject_id is None:
        return None
    api = manager.api(result.connection)
    if not api.account_holder:
        return None
    open_id, scopes = credentials.stored.subject_id, credentials.stored.scopes or ()
    known = result.account or Account(open_id)
    if not api.account_fields(scopes):
        return known
    build = partial(api.account, open_id=open_id, scopes=scopes)
    try:
        account, _ = call(manager, credentials, build, api.read_account)
    except PermissionMissing:
        return known
    return account._replace(open_id=open_id)


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
