"""What to store once something happened to a token, as pure functions.

The other half of `lifecycle`: what was stored and what TikTok answered go in, what to store and
what to note in the audit trail come out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials.lifecycle import LOGIN, can_renew
from tap_tiktok_auth.credentials.models import Event, LastError, StoredConnection, TokenRequestMark
from tap_tiktok_auth.credentials.tokens import token_from_grant
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    ConfigurationError,
    GrantRejected,
    Interrupted,
    NoAnswer,
    TikTokAuthError,
)
from tap_tiktok_auth.times import as_time

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import TokenResponse
    from tap_tiktok_auth.credentials.lifecycle import Action
    from tap_tiktok_auth.credentials.models import EventName, Status
    from tap_tiktok_auth.credentials.tokens import ObtainedBy


def after_grant(
    record: StoredConnection,
    grant: TokenResponse,
    sent_at: float,
    *,
    obtained_by: ObtainedBy | None = None,
    seed_hash: str | None = None,
    long_term: bool = False,
    origin: str | None = None,
) -> StoredConnection:
    """Return the record once TikTok granted a token.

    Args:
        record: What was stored.
        grant: TikTok's answer.
        sent_at: When the request was sent.
        obtained_by: How the new chain started; None if the answer is that of a refresh.
        seed_hash: Keyed hash of the seed of the new chain.
        long_term: Whether the token system's tokens have no timer unless told otherwise.
        origin: Who answered.
    """
    new_chain = obtained_by is not None
    previous = None if new_chain else record.token
    token = token_from_grant(grant, sent_at, previous, long_term=long_term)
    # An access token alone is not used up; with a refresh token it is, once that was sent.
    seed = seed_hash if new_chain else record.seed_hash
    uses_up = obtained_by not in {"access_token", "client_credentials"}
    spent = record.spent_seeds
    if seed and uses_up and seed not in spent:
        spent = (*spent, seed)
    known_scopes = None if new_chain else record.scopes
    return replace(
        record,
        generation=record.generation + 1,
        token=token,
        seed_hash=seed_hash if new_chain else record.seed_hash,
        spent_seeds=spent,
        status="active",
        obtained_by=obtained_by or record.obtained_by,
        origin=origin,
        subject_id=grant.subject_id or (None if new_chain else record.subject_id),
        scopes=grant.scopes if grant.scopes is not None else known_scopes,
        last_refreshed_at=None if new_chain else sent_at,
        refresh_count=0 if new_chain else record.refresh_count + 1,
        attempt=None,
        failure=None,
        request_id=grant.request_id,
        verified_at=None,
    )


def after_refusal(
    record: StoredConnection, error: TikTokAuthError, now: float, *, attempt: str, action: Action
) -> tuple[StoredConnection, tuple[EventName, ...]]:
    """Return the record, and what to note in the audit trail, once a token request failed.

    Args:
        record: What was stored.
        error: How it failed.
        now: Seconds since the epoch.
        attempt: Key of the attempt.
        action: What was tried.
    """
    if isinstance(error, Interrupted):
        return record, ()
    renewal = is_renewal(record, action)
    # A code that TikTok refuses is not sent again as it is, also if the app may be to blame.
    refused = isinstance(error, GrantRejected) or (
        action == "exchange" and isinstance(error, ConfigurationError) and error.code is not None
    )
    if _is_refused(record) and not (refused or isinstance(error, AuthorizationRequired)):
        # What TikTok refused stays refused, and its word is the one to repeat.
        return record, ("refresh_failed",) if renewal else ()
    works = still_works(record, action, now)
    earlier = record.attempt if _is_unanswered(record.attempt, attempt) else None
    status: Status
    events: tuple[EventName, ...]
    outcome: TokenRequestMark | None = None
    spent = record.spent_seeds
    if isinstance(error, NoAnswer):
        status, events = "unconfirmed", ("unconfirmed",)
        outcome = TokenRequestMark(attempt, now, "unconfirmed")
    elif isinstance(error, AuthorizationRequired):
        status = "refresh_failing" if works else "reauthorization_required"
        failed: tuple[EventName, ...] = ("refresh_failed",) if renewal else ()
        ended: tuple[EventName, ...] = () if works else ("reauthorization_required",)
        events = failed + ended
    else:
        # The credential is as good as before: what became of an earlier attempt is still open.
        status = "refresh_failing" if renewal else "pending"
        status, outcome = ("unconfirmed", earlier) if earlier else (status, None)
        events = ("refresh_failed",) if renewal else ()
    if refused:
        status = "pending" if status == "unconfirmed" else status
        outcome = TokenRequestMark(attempt, now, "refused")
        spent = spent if attempt in spent else (*spent, attempt)
    failure = LastError(error.cause, now, error.code)
    # A new seed that fails says nothing about the chain that is there: the config may go back.
    other_chain = record.token is not None and not renewal
    changed = replace(
        record,
        status=record.status if other_chain else status,
        spent_seeds=spent,
        attempt=outcome,
        failure=failure,
        request_id=error.request_id,
    )
    return changed, events


def _is_refused(record: StoredConnection) -> bool:
    return record.attempt is not None and record.attempt.outcome == "refused"


def is_renewal(record: StoredConnection, action: Action) -> bool:
    """Whether the action replaces a token of the same chain."""
    return record.token is not None and action in {"refresh", "client_token"}


def still_works(record: StoredConnection, action: Action, now: float) -> bool:
    """Whether there is a token to use on although its renewal failed."""
    token = record.token
    return token is not None and is_renewal(record, action) and token.state(now, 0) != "expired"


def after_stop(
    record: StoredConnection, error: TikTokAuthError, now: float
) -> tuple[StoredConnection, tuple[EventName, ...]]:
    """Return the record, and what to note, once no token was to be had, or it was not confirmed.

    A token whose end came by the clock alone gets its status here: nothing was sent.
    """
    if isinstance(error, Interrupted):
        return record, ()
    failure = LastError(error.cause, now, error.code)
    ended = record.token is not None and record.token.state(now, 0) == "expired"
    settled = record.status in {"reauthorization_required", "revoked"}
    if ended and not settled and isinstance(error, AuthorizationRequired):
        over = replace(
            record,
            status="reauthorization_required",
            failure=failure,
            request_id=error.request_id,
        )
        return over, ("reauthorization_required",)
    if record.status != "active" or _is_refused(record):
        return record, ()
    return replace(record, failure=failure, request_id=error.request_id), ()


def lost_answer(record: StoredConnection) -> StoredConnection:
    """Return the record of a connection whose last holder died between sending and committing."""
    attempt = record.attempt
    if attempt is None or attempt.outcome != "sent":
        return record
    return replace(
        record,
        status="unconfirmed",
        attempt=replace(attempt, outcome="unconfirmed"),
        failure=LastError("a process ended before it could store TikTok's answer", attempt.at),
    )


def explain_loss(record: StoredConnection, error: TikTokAuthError, attempt: str) -> TikTokAuthError:
    """Word a refusal that follows an attempt whose answer was lost.

    TikTok then most likely carried out the earlier request, and its answer, with the only token
    that still works, is gone.
    """
    earlier = record.attempt
    if earlier is None or not _is_unanswered(earlier, attempt):
        return error
    if not isinstance(error, AuthorizationRequired):
        return error
    cause = (
        f"{error.cause}; the request of {as_time(earlier.at)} got no answer, so TikTok most likely "
        "carried it out and the new token was lost on the way"
    )
    return type(error)(cause, next_step=LOGIN, code=error.code, request_id=error.request_id)


def _is_unanswered(attempt: TokenRequestMark | None, key: str) -> bool:
    return attempt is not None and attempt.outcome == "unconfirmed" and attempt.key == key


def after_rejection(
    record: StoredConnection, error: TikTokAuthError, now: float
) -> StoredConnection:
    """Return the record once TikTok refused its access token in use.

    A token that can be renewed is given up. One that cannot is kept: nothing replaces it, and
    TikTok is asked about it again by the next run.
    """
    token, renewable = record.token, can_renew(record, now)
    return replace(
        record,
        token=token.ended(now) if token and renewable else token,
        status=record.status if renewable else "reauthorization_required",
        failure=LastError(error.cause, now, error.code),
        request_id=error.request_id,
    )


def after_confirmation(
    record: StoredConnection,
    now: float,
    *,
    subject_id: str | None = None,
    scopes: tuple[str, ...] | None = None,
) -> StoredConnection:
    """Return the record once TikTok confirmed its access token in use.

    A failed or unanswered refresh stays on record: the token works, its renewal does not.
    """
    well = record.status in {"active", "reauthorization_required", "pending"}
    return replace(
        record,
        status="active" if well else record.status,
        failure=None if well else record.failure,
        subject_id=subject_id or record.subject_id,
        scopes=record.scopes if scopes is None else scopes,
        verified_at=now,
    )


def after_revocation(record: StoredConnection) -> StoredConnection:
    """Return the record once its token was revoked: the row stays, the secrets go."""
    return replace(
        record,
        generation=record.generation + 1,
        token=None,
        status="revoked",
        attempt=None,
        failure=None,
    )


def token_events(
    names: tuple[EventName, ...],
    record: StoredConnection,
    *,
    before: str | None = None,
    after: str | None = None,
    error: TikTokAuthError | None = None,
) -> tuple[Event, ...]:
    """Return lines of the audit trail about a token."""
    return tuple(
        Event(
            name=name,
            connection=record.name,
            fingerprint_before=before,
            fingerprint_after=after,
            error_code=error.code if error else None,
            error_message=error.cause if error else None,
            request_id=error.request_id if error else record.request_id,
        )
        for name in names
    )
