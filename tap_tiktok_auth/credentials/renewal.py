"""One token request under a lease: sent once, its answer committed before anyone sees it."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth import network
from tap_tiktok_auth.credentials import transitions
from tap_tiktok_auth.credentials.lifecycle import LOGIN
from tap_tiktok_auth.credentials.token_requests import ask
from tap_tiktok_auth.credentials.wishes import Outcome
from tap_tiktok_auth.errors import (
    Revoked,
    StoreError,
    StoreUnavailable,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.redaction import teach
from tap_tiktok_auth.store import recovery
from tap_tiktok_auth.store.contract import AdvertiserListing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.credentials.models import Event, EventName, StoredConnection
    from tap_tiktok_auth.credentials.token_requests import Answer, Renewal
    from tap_tiktok_auth.http.client import Client
    from tap_tiktok_auth.store.contract import Store

log = logging.getLogger(__name__)

#: Seconds to wait before each further try to commit an answer to a store that fails.
COMMIT_RETRIES = (0.1, 1.0, 5.0, 10.0)
#: Seconds that one such try may take: with the answer safe in a file, and without.
COMMIT_PATIENCE, LAST_PATIENCE = 3.0, 15.0


def carry_out(
    renewal: Renewal,
    *,
    store: Store,
    client: Callable[[], Client],
    api: TokenApi,
    confirm: Callable[[], None],
    end: Callable[[StoredConnection], None],
    stop: threading.Event,
) -> Outcome:
    """Ask TikTok, commit what it answers, and give the lease back.

    Args:
        renewal: What is due.
        store: The token store.
        client: Returns the HTTP client.
        api: The connection's token system.
        confirm: Called before each sending; raises if the lease is not ours any more.
        end: Revokes a token that TikTok gave while a person revoked its connection.
        stop: Ends waits when the process was told to stop.

    Raises:
        TikTokAuthError: There is no token that works.
    """
    try:
        answer = ask(renewal, client(), api, confirm, store.now)
    except TikTokAuthError as error:
        return _remember_failure(renewal, error, store, stop)
    teach(answer.grant.access_token, answer.grant.refresh_token)
    record = transitions.after_grant(
        renewal.record,
        answer.grant,
        answer.sent_at,
        obtained_by=answer.obtained_by,
        seed_hash=renewal.seed_hash,
        long_term=api.long_term,
        origin=network.origin_of(api.data_host),
    )
    if answer.obtained_by is not None:
        record = _of_new_chain(record, renewal)
    changed = _changed(renewal, record, store, _events(renewal, record, answer, store))
    if answer.grant.advertiser_ids:
        pairs = tuple((advertiser_id, None) for advertiser_id in answer.grant.advertiser_ids)
        changed = replace(
            changed, sighting=AdvertiserListing(pairs, "token_response", complete=False)
        )
    with recovery.kept(store, changed) as file:
        stored = _commit(changed, store, stop, file)
        current = record if stored else store.read(record.name)
        if current is not None and current.generation < record.generation:
            behind = StoreUnavailable("an older state of the token store was restored meanwhile")
            raise _kept_in(file, behind)
        if current is not None and current.status == "revoked":
            end(record)
    if current is None:
        raise TryAgainLater("the connection was removed meanwhile", next_step="Run again.")
    if current.token is None:
        raise Revoked("its token was revoked meanwhile", next_step=LOGIN)
    if answer.grant.unread:
        log.warning(
            "connection %s: TikTok's answer has an unusable %s; its token is kept. "
            "Check it with: tiktok-auth status %s --check",
            record.name,
            ", ".join(answer.grant.unread),
            record.name,
        )
    return Outcome(current, renewal=answer.event if stored else None)


def _of_new_chain(record: StoredConnection, renewal: Renewal) -> StoredConnection:
    """Let a record belong to the app and the token system of its new chain."""
    app = renewal.connection.app
    return replace(
        record,
        api=renewal.connection.api,
        app_id=app.app_id if app else "",
        app_secret=app.secret if app and renewal.is_login else None,
        redirect_uri=renewal.connection.redirect_uri,
    )


def _events(
    renewal: Renewal, record: StoredConnection, answer: Answer, store: Store
) -> tuple[Event, ...]:
    names: list[EventName] = [answer.event]
    if answer.obtained_by is None and record.scopes != renewal.record.scopes:
        names.append("scopes_changed")
    return transitions.token_events(
        tuple(names),
        record,
        before=_fingerprint(renewal, store),
        after=store.fingerprint(answer.grant.access_token),
    )


def _changed(
    renewal: Renewal, record: StoredConnection, store: Store, events: tuple[Event, ...]
) -> recovery.Answer:
    """Return a changed record with all that its commit needs."""
    # A former holder may have died with TikTok's answer.
    lost = transitions.token_events(("unconfirmed",), renewal.record) if renewal.was_lost else ()
    return recovery.Answer(
        record=record,
        before=renewal.claimed,
        holder=renewal.holder,
        follows=_fingerprint(renewal, store),
        events=(*lost, *events),
    )


def _fingerprint(renewal: Renewal, store: Store) -> str | None:
    token = renewal.record.token
    return store.fingerprint(token.access_token) if token else None


def _commit(
    changed: recovery.Answer, store: Store, stop: threading.Event, file: Path | None
) -> bool:
    """Have the store take an answer; nothing may use it before.

    Raises:
        StoreError: The store does not take it. Who was told to stop does not wait for that, if
            the answer is safe in a file.
    """
    waits = iter(COMMIT_RETRIES)
    told = stop if file else threading.Event()
    while True:
        try:
            return changed.commit(store, patience=COMMIT_PATIENCE if file else LAST_PATIENCE)
        except StoreError as error:
            wait = next(waits, None)
            if wait is None or told.is_set():
                raise _kept_in(file, error) from None
            log.warning("%s. Storing TikTok's answer again in %.1f s.", error.cause, wait)
            told.wait(wait)


def _kept_in(file: Path | None, error: StoreError) -> StoreUnavailable:
    if file is None:
        return StoreUnavailable(
            f"{error.cause}, and no folder takes a recovery file for TikTok's answer",
            next_step="Mend the store, then run: tiktok-auth login {connection}",
        )
    return StoreUnavailable(
        f"{error.cause}; TikTok's answer is kept, encrypted, in {file}",
        next_step="Mend the store; the next run takes the file in.",
    )


def _remember_failure(
    renewal: Renewal, error: TikTokAuthError, store: Store, stop: threading.Event
) -> Outcome:
    """Store what is to be known about a failure, then use the old token or give up."""
    record, action = renewal.record, renewal.action
    error = transitions.explain_loss(record, error, renewal.attempt)
    if renewal.is_login:
        _leave_as_it_was(renewal, store)
        raise error
    after, names = transitions.after_refusal(
        record, error, store.now(), attempt=renewal.attempt, action=action
    )
    before = _fingerprint(renewal, store) if transitions.is_renewal(record, action) else None
    events = transitions.token_events(names, after, before=before, error=error)
    changed = _changed(renewal, after, store, events)
    try:
        with recovery.kept(store, changed) as file:
            if not _commit(changed, store, stop, file):
                current = store.read(record.name)
                if current is not None and current.generation > record.generation and current.token:
                    return Outcome(current)  # someone else took over, and was answered
    except StoreError as failed:
        log.warning("%s", failed)
    # The clock is read again: a commit may have waited.
    if transitions.still_works(record, action, store.now()):
        return Outcome(after, error)
    raise error


def _leave_as_it_was(renewal: Renewal, store: Store) -> None:
    try:
        if renewal.is_new:
            store.forget(renewal.record.name, renewal.holder)
        else:
            store.commit(renewal.record, renewal.holder, before=renewal.claimed)
    except StoreError as failed:
        log.warning("%s", failed)
