"""One token request under a lease: sent once, its answer committed before anyone sees it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_tiktok_auth import lifecycle, outcomes
from tap_tiktok_auth.apis.base import need_app
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    NoAnswer,
    PermissionMissing,
    StoreError,
    StoreUnavailable,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.redaction import teach
from tap_tiktok_auth.store.contract import Sighting
from tap_tiktok_auth.tokens import Grant
from tap_tiktok_auth.wishes import Outcome

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Identity, TokenApi
    from tap_tiktok_auth.client import Client
    from tap_tiktok_auth.connections import Connection, Seed
    from tap_tiktok_auth.lifecycle import Action
    from tap_tiktok_auth.records import Event, EventName, Record
    from tap_tiktok_auth.store.contract import Store
    from tap_tiktok_auth.tokens import ObtainedBy

log = logging.getLogger(__name__)

#: Seconds to wait before each further try to commit an answer to a store that fails.
COMMIT_RETRIES = (0.1, 1.0, 5.0, 10.0)


@dataclass(frozen=True)
class Renewal:
    """What is due for a connection whose lease is held.

    Attributes:
        connection: The connection, with the app to use.
        record: What was stored when the lease was taken, without the mark of this attempt.
        action: What to ask TikTok for.
        attempt: Key of this attempt.
        holder: The lease's holder.
        seed_hash: Keyed hash of the seed that the new chain belongs to.
        is_login: A person is waiting: a failure leaves everything as it was.
        is_new: The store had no such connection before.
        was_lost: The former holder died before it could store TikTok's answer.
    """

    connection: Connection
    record: Record
    action: Action
    attempt: str
    holder: str
    seed_hash: str | None
    is_login: bool
    is_new: bool
    was_lost: bool


@dataclass(frozen=True)
class _Answer:
    grant: Grant
    sent_at: float
    obtained_by: ObtainedBy | None
    event: EventName


def carry_out(
    renewal: Renewal,
    *,
    store: Store,
    client: Callable[[], Client],
    api: TokenApi,
    confirm: Callable[[], None],
    stop: threading.Event,
) -> Outcome:
    """Ask TikTok, commit what it answers, and give the lease back.

    Args:
        renewal: What is due.
        store: The token store.
        client: Returns the HTTP client.
        api: The connection's token system.
        confirm: Called before each sending; raises if the lease is not ours any more.
        stop: Ends waits when the process was told to stop.

    Raises:
        TikTokAuthError: There is no token that works.
    """
    try:
        answer = _ask(renewal, client(), api, confirm, store.now)
    except TikTokAuthError as error:
        return _remember_failure(renewal, error, store)
    teach(answer.grant.access_token, answer.grant.refresh_token)
    record = outcomes.after_grant(
        renewal.record,
        answer.grant,
        answer.sent_at,
        obtained_by=answer.obtained_by,
        seed_hash=renewal.seed_hash,
        long_term=api.long_term,
    )
    if answer.obtained_by is not None:
        record = _of_new_chain(record, renewal)
    return _commit(renewal, record, answer, store, stop)


def _ask(
    renewal: Renewal,
    client: Client,
    api: TokenApi,
    confirm: Callable[[], None],
    now: Callable[[], float],
) -> _Answer:
    connection, seed = renewal.connection, renewal.connection.seed
    sent_at = 0.0

    def before_send() -> None:
        nonlocal sent_at
        confirm()
        sent_at = now()

    def refresh(refresh_token: str) -> Grant:
        request = api.refresh(need_app(connection), refresh_token)
        return client.fetch(request, api.read_grant, before_send=before_send)

    if renewal.action == "refresh" and renewal.record.token is not None:
        grant = refresh(renewal.record.token.refresh_token or "")
        return _Answer(grant, sent_at, None, "refreshed")
    if renewal.action == "client_token":
        request = api.client_token(need_app(connection))
        grant = client.fetch(request, api.read_grant, before_send=before_send)
        return _Answer(grant, sent_at, "client_credentials", "exchanged")
    if seed is None:
        raise AuthorizationRequired("it has no token", next_step=lifecycle.LOGIN)
    if renewal.action == "exchange":
        request = api.exchange(
            need_app(connection),
            seed.auth_code or "",
            redirect_uri=connection.redirect_uri,
            code_verifier=seed.code_verifier,
        )
        grant = client.fetch(request, api.read_grant, before_send=before_send)
        by: ObtainedBy = "login" if renewal.is_login else "auth_code"
        return _Answer(grant, sent_at, by, "exchanged")
    imported = _import_access_token(connection, seed, client, api)
    if imported is not None:
        by = "login" if renewal.is_login else "access_token"
        return _Answer(imported, now(), by, "imported")
    grant = refresh(seed.refresh_token or "")
    if grant.refresh_token is None:
        grant = replace(grant, refresh_token=seed.refresh_token)
    by = "login" if renewal.is_login else "refresh_token"
    return _Answer(grant, sent_at, by, "imported")


def _import_access_token(
    connection: Connection, seed: Seed, client: Client, api: TokenApi
) -> Grant | None:
    """Return the seed's access token if TikTok confirms it; None if it must be refreshed."""
    if seed.access_token is None:
        return None
    identity: Identity | None = None
    try:
        identity = client.fetch(api.verify(connection, seed.access_token), api.read_identity)
    except PermissionMissing:
        pass  # a token whose permissions TikTok looked at is one that it knows
    except AccessTokenRejected:
        if seed.refresh_token is None:
            raise
        return None
    except NoAnswer as error:
        # Nothing was spent by asking, so there is nothing to be unsure about.
        raise TryAgainLater(error.cause, next_step=error.next_step) from None
    return Grant(
        access_token=seed.access_token,
        refresh_token=seed.refresh_token,
        subject_id=identity.subject_id if identity else None,
        scopes=identity.scopes if identity else None,
    )


def _of_new_chain(record: Record, renewal: Renewal) -> Record:
    """Let a record belong to the app and the token system of its new chain."""
    app = renewal.connection.app
    return replace(
        record,
        api=renewal.connection.api,
        app_id=app.app_id if app else "",
        app_secret=app.secret if app and renewal.is_login else None,
        redirect_uri=renewal.connection.redirect_uri,
    )


def _commit(
    renewal: Renewal, record: Record, answer: _Answer, store: Store, stop: threading.Event
) -> Outcome:
    """Make the new token durable; nothing may use it before."""
    before = renewal.record.token.access_token if renewal.record.token else None
    names: list[EventName] = [answer.event]
    if answer.obtained_by is None and record.scopes != renewal.record.scopes:
        names.append("scopes_changed")
    events = (
        *_loss_events(renewal),
        *outcomes.token_events(
            tuple(names),
            record,
            before=store.fingerprint(before),
            after=store.fingerprint(answer.grant.access_token),
        ),
    )
    sighting = None
    if answer.grant.advertiser_ids:
        pairs = tuple((advertiser_id, None) for advertiser_id in answer.grant.advertiser_ids)
        sighting = Sighting(pairs, "token_response", complete=False)
    waits = iter(COMMIT_RETRIES)
    while True:
        try:
            stored = store.commit(record, renewal.holder, events=events, sighting=sighting)
            break
        except StoreError as error:
            wait = next(waits, None)
            if wait is None or stop.is_set():
                raise _keep_elsewhere(store, record, renewal, error) from None
            log.warning("%s. Storing TikTok's new token again in %.1f s.", error.cause, wait)
            stop.wait(wait)
    if stored:
        return Outcome(record)
    current = store.read(record.name)
    if current is None or current.token is None:
        raise TryAgainLater("the connection was removed meanwhile", next_step="Run again.")
    if current.generation < record.generation:
        behind = StoreUnavailable("an older state of the token store was restored meanwhile")
        raise _keep_elsewhere(store, record, renewal, behind)
    return Outcome(current)


def _keep_elsewhere(
    store: Store, record: Record, renewal: Renewal, error: StoreError
) -> StoreError:
    from tap_tiktok_auth.store import recovery  # noqa: PLC0415  (needed in distress only)

    file = recovery.write(store, record, follows=renewal.record)
    return StoreUnavailable(
        f"{error.cause}; TikTok's new token is kept, encrypted, in {file}",
        next_step="Mend the store; the next run takes the file in.",
    )


def _remember_failure(renewal: Renewal, error: TikTokAuthError, store: Store) -> Outcome:
    """Store what is to be known about a failure, then use the old token or give up."""
    record, action = renewal.record, renewal.action
    error = outcomes.explain_loss(record, error, renewal.attempt)
    if renewal.is_login:
        _leave_as_it_was(renewal, store)
        raise error
    now = store.now()
    changed, names = outcomes.after_refusal(
        record, error, now, attempt=renewal.attempt, action=action
    )
    renewed = record.token if outcomes.is_renewal(record, action) else None
    fingerprint = store.fingerprint(renewed.access_token if renewed else None)
    events = outcomes.token_events(names, changed, before=fingerprint, error=error)
    try:
        if not store.commit(changed, renewal.holder, events=(*_loss_events(renewal), *events)):
            current = store.read(record.name)
            if current is not None and current.generation > record.generation and current.token:
                return Outcome(current)  # someone else took over, and was answered
    except StoreError as failed:
        log.warning("%s", failed)
    if outcomes.still_works(record, action, now):
        return Outcome(changed, error)
    raise error


def _leave_as_it_was(renewal: Renewal, store: Store) -> None:
    try:
        if renewal.is_new:
            store.forget(renewal.record.name, renewal.holder)
        else:
            store.commit(renewal.record, renewal.holder)
    except StoreError as failed:
        log.warning("%s", failed)


def _loss_events(renewal: Renewal) -> tuple[Event, ...]:
    """Note that a former holder died with TikTok's answer, if so."""
    if not renewal.was_lost:
        return ()
    return outcomes.token_events(("unconfirmed",), renewal.record)
