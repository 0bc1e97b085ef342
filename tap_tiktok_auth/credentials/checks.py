"""Looking after many connections at once: a fresh token for each, confirmed by TikTok itself."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis.base import Identity
from tap_tiktok_auth.credentials import lifecycle, transitions
from tap_tiktok_auth.credentials.data_calls import call
from tap_tiktok_auth.credentials.models import AdvertiserListing
from tap_tiktok_auth.errors import PermissionMissing, StoreError, TikTokAuthError
from tap_tiktok_auth.process import deferred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_tiktok_auth.apis.base import Account
    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import Credentials, StoredConnection

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckResult:
    """How a connection is.

    Attributes:
        connection: The connection.
        checked_at: When it was looked at, seconds since the epoch.
        stored: What the store has of it; None if nothing.
        credentials: Its token; None if there is none that works.
        account_ids: Its Creator Marketplace accounts.
        account: Its TikTok account, where TikTok named it in this check.
        verified: Whether TikTok confirmed the token in this check.
        error: What is wrong with it.
        warnings: What should be looked after.
    """

    connection: Connection
    checked_at: float
    stored: StoredConnection | None = None
    credentials: Credentials | None = None
    account_ids: tuple[str, ...] = ()
    account: Account | None = None
    verified: bool = False
    error: TikTokAuthError | None = None
    warnings: tuple[TikTokAuthError, ...] = ()


def check_all(
    manager: TokenManager,
    connections: Iterable[Connection],
    *,
    verify: bool = True,
    force: bool = False,
    since: float | None = None,
    done: Callable[[CheckResult], None] | None = None,
) -> list[CheckResult]:
    """Have a fresh token for each connection, several at a time.

    One bad connection does not take the others down: its report has the error.

    Args:
        manager: The manager.
        connections: The connections.
        verify: Whether to ask TikTok about each token.
        force: Whether to refresh even fresh tokens.
        since: With *force*: tokens that were asked for after this time will do.
        done: Called after each connection, for progress; in the calling thread.

    Returns:
        A report for each connection, in their order.
    """

    def one(connection: Connection) -> CheckResult:
        return check(manager, connection, verify=verify, force=force, since=since)

    wanted = list(connections)
    if not wanted:
        return []
    workers = min(manager.config.parallelism, len(wanted))
    reports = []
    with deferred(manager.stop), ThreadPoolExecutor(workers, "tiktok-auth") as pool:
        for report in pool.map(one, wanted):
            reports.append(report)
            if done is not None:
                done(report)
    return reports


def check(
    manager: TokenManager,
    connection: Connection,
    *,
    verify: bool = True,
    force: bool = False,
    since: float | None = None,
    told: Mapping[str, Identity] | None = None,
) -> CheckResult:
    """Have a fresh token for one connection, and let TikTok confirm it.

    Args:
        manager: The manager.
        connection: The connection.
        verify: Whether to ask TikTok about the token.
        force: Whether to refresh even a fresh token.
        since: With *force*: a token that was asked for after this time will do.
        told: What TikTok has just said, by access token.

    Returns:
        The report; it has the error if there is one.
    """
    known = dict(told or {})
    try:
        credentials = manager.get_token(
            connection,
            force=force,
            since=since,
            recheck=verify,
            settle=True,
            confirmed=known.__setitem__,
        )
    except TikTokAuthError as error:
        return _failed(manager, connection, error)
    warnings = () if credentials.warning is None else (credentials.warning.of(connection.name),)
    if not verify or credentials.stored.obtained_by == "client_credentials":
        return _report(manager, credentials, warnings=warnings)
    try:
        return _verify(manager, credentials, warnings, known)
    except TikTokAuthError as error:
        return _failed(manager, connection, error)


def _verify(
    manager: TokenManager,
    credentials: Credentials,
    warnings: tuple[TikTokAuthError, ...],
    told: Mapping[str, Identity],
) -> CheckResult:
    connection = credentials.connection
    api, scopes = manager.api(connection), credentials.stored.scopes or ()
    try:
        if credentials.token.access_token in told:  # an imported token was confirmed on the way in
            identity = told[credentials.token.access_token]
        else:
            identity, credentials = call(
                manager,
                credentials,
                lambda token: api.verify(connection, token, scopes),
                api.read_identity,
            )
    except PermissionMissing as error:
        # TikTok looked at the token's permissions, so it knows the token.
        identity = Identity()
        warnings = (*warnings, error)
    change = transitions.confirmed(
        credentials.stored, identity, manager.store.now(), manager.store.fingerprint
    )
    current = manager.store.amend(
        change.stored,
        ("status", "failure", "subject_id", "scopes", "verified_at"),
        events=change.events,
        sighting=_sighting(connection, identity),
    )
    if current:
        credentials = replace(credentials, stored=change.stored)
    return replace(
        _report(manager, credentials, warnings=warnings),
        verified=True,
        account_ids=identity.account_ids,
        account=identity.account,
    )


def _sighting(connection: Connection, identity: Identity) -> AdvertiserListing | None:
    if connection.advertiser_ids:
        pairs = tuple((advertiser_id, None) for advertiser_id in connection.advertiser_ids)
        return AdvertiserListing(pairs, "config", complete=False)
    if identity.advertisers is None:
        return None
    return AdvertiserListing(identity.advertisers, "advertiser_get", complete=True)


def _report(
    manager: TokenManager, credentials: Credentials, *, warnings: tuple[TikTokAuthError, ...]
) -> CheckResult:
    now = manager.store.now()
    days = manager.config.consent_warning_days
    deadline = lifecycle.consent_warning(credentials.stored, now, days, told=credentials.warning)
    if deadline is not None:
        warnings = (*warnings, deadline.of(credentials.connection.name))
    return CheckResult(
        connection=credentials.connection,
        checked_at=now,
        stored=credentials.stored,
        credentials=credentials,
        warnings=warnings,
    )


def _failed(manager: TokenManager, connection: Connection, error: TikTokAuthError) -> CheckResult:
    """Report a failure, and note it where the store can still be read."""
    stored, now = None, 0.0
    try:
        now = manager.store.now()
        stored = manager.store.read(connection.name)
        # Settings that name another host say nothing about the connection.
        if stored is not None and manager.registry.other_host(stored) is None:
            change = transitions.stopped(stored, error, now, manager.store.fingerprint)
            if change.stored != stored:
                manager.store.amend(
                    change.stored, ("status", "failure", "request_id"), events=change.events
                )
            stored = change.stored
    except StoreError as failed:
        log.debug("%s", failed)
    return CheckResult(
        connection=connection, checked_at=now, stored=stored, error=error.of(connection.name)
    )
