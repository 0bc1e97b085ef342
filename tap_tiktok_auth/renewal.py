"""One token request under a lease: sent once, its answer committed before anyone sees it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth import destinations, outcomes
from tap_tiktok_auth.errors import StoreError, StoreUnavailable, TikTokAuthError, TryAgainLater
from tap_tiktok_auth.redaction import teach
from tap_tiktok_auth.store.contract import Sighting
from tap_tiktok_auth.token_requests import ask
from tap_tiktok_auth.wishes import Outcome

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.client import Client
    from tap_tiktok_auth.records import Event, EventName, Record
    from tap_tiktok_auth.store.contract import Store
    from tap_tiktok_auth.token_requests import Answer, Renewal

log = logging.getLogger(__name__)

#: Seconds to wait before each further try to commit an answer to a store that fails.
COMMIT_RETRIES = (0.1, 1.0, 5.0, 10.0)


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
        answer = ask(renewal, client(), api, confirm, store.now)
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
        origin=destinations.origin_of(api.data_host),
    )
    if answer.obtained_by is not None:
        record = _of_new_chain(record, renewal)
    return _commit(renewal, record, answer, store, stop)


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
    renewal: Renewal, record: Record, answer: Answer, store: Store, stop: threading.Event
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
