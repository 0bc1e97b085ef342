"""The life of a token: the rules, as pure functions.

What is stored, what is configured and what TikTok answered go in; what to do next and what to
store come out. Nothing here reads a clock, a file or a socket, so the rules can be tested with
any history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal

from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    ConfigurationError,
    GrantRejected,
    Interrupted,
    NoAnswer,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.records import Attempt, Event, Failure, Record
from tap_tiktok_auth.tokens import token_from_grant

if TYPE_CHECKING:
    from tap_tiktok_auth.connections import SeedKind
    from tap_tiktok_auth.records import EventName, Status
    from tap_tiktok_auth.tokens import Grant, ObtainedBy, Token

Action = Literal["use", "refresh", "exchange", "import", "client_token", "stop"]

LOGIN = "Run: tiktok-auth login {connection}"


@dataclass(frozen=True)
class Wish:
    """What is asked for, and from what it may be had.

    Attributes:
        now: Seconds since the epoch.
        margin: Refresh when less than this many seconds is left.
        min_lifetime: The token must work for at least this many seconds.
        force: Refresh even a fresh token, and try a refused credential again.
        recheck: TikTok is asked about the token next, so one that it refused before will do.
        new_chain: Start from the seed whatever is stored.
        seed_kind: The kind of the configured seed, if there is one.
        seed_hash: Keyed hash of the configured seed.
        seed_attempt: Key of an attempt with the configured seed and app.
        refresh_attempt: Key of an attempt with the stored refresh token and app.
    """

    now: float
    margin: float
    min_lifetime: float = 0.0
    force: bool = False
    recheck: bool = False
    new_chain: bool = False
    seed_kind: SeedKind | None = None
    seed_hash: str | None = None
    seed_attempt: str | None = None
    refresh_attempt: str | None = None


@dataclass(frozen=True)
class Step:
    """What to do next.

    Attributes:
        action: `use` the stored token; `refresh` it; `exchange` the seed's code; `import` the
            seed's tokens; ask for a `client_token`; or `stop` with the error.
        error: Why to stop; with `use`, why the token could not be renewed.
    """

    action: Action
    error: TikTokAuthError | None = None

    @property
    def spends(self) -> bool:
        """Whether the step needs the connection's lease."""
        return self.action not in {"use", "stop"}


def next_step(record: Record | None, wish: Wish) -> Step:
    """Decide what to do to have a fresh token.

    Args:
        record: What the store has of the connection; None if nothing.
        wish: What is asked for.
    """
    if starts_new_chain(record, wish):
        return _start(record, wish)
    if record is None or record.token is None:
        return Step("stop", _no_token(record))
    if _is_replaced(record, wish):
        return Step("stop", _replaced_seed())
    return _continue(record, record.token, wish)


def starts_new_chain(record: Record | None, wish: Wish) -> bool:
    """Whether the configured seed is one that the stored chain did not start from.

    A seed that TikTok has taken once never starts a chain again, however the config changes.
    Tokens of an app itself have no seed: they are asked for whenever none is there.
    """
    if wish.new_chain:
        return True
    if wish.seed_kind is None:
        return False
    if record is None:
        return True
    if wish.seed_kind == "client_credentials":
        return record.seed_hash != wish.seed_hash or (
            record.token is None and record.status != "revoked"
        )
    return wish.seed_hash != record.seed_hash and wish.seed_hash not in record.spent_seeds


def _is_replaced(record: Record, wish: Wish) -> bool:
    """Whether the configured seed was taken once and another seed has replaced it since.

    A login replaces seeds for good: there a seed left in the config is harmless.
    """
    return (
        wish.seed_hash is not None
        and wish.seed_hash != record.seed_hash
        and record.obtained_by != "login"
    )


def needs_renewal(token: Token, wish: Wish) -> bool:
    """Whether the token has too little time left, or renewal is forced."""
    if wish.force:
        return True
    if token.state(wish.now, wish.margin) != "fresh":
        return True
    return token.expires_at is not None and token.expires_at - wish.now < wish.min_lifetime


def _start(record: Record | None, wish: Wish) -> Step:
    attempt = record.attempt if record else None
    if _was_refused(attempt, wish.seed_attempt) and not wish.force:
        return Step("stop", _remembered(record, "TikTok refused the configured seed"))
    if wish.seed_kind == "auth_code":
        return Step("exchange")
    if wish.seed_kind == "client_credentials":
        return Step("client_token")
    return Step("import")


def _continue(record: Record, token: Token, wish: Wish) -> Step:
    refused = record.status == "reauthorization_required" and not token.refreshable
    if refused and not wish.recheck and wish.seed_kind != "client_credentials":
        return Step("stop", _ended(record, token))
    if not needs_renewal(token, wish):
        return Step("use")
    expired = token.state(wish.now, wish.margin) == "expired"
    if wish.seed_kind == "client_credentials":
        return Step("client_token")
    if not token.refreshable:
        return Step("stop", _ended(record, token)) if expired else Step("use")
    if not token.can_refresh(wish.now) and not wish.force:
        return Step("stop", _consent_over(token)) if expired else Step("use", _consent_over(token))
    if _was_refused(record.attempt, wish.refresh_attempt) and not wish.force:
        error = _remembered(record, "TikTok refused the refresh token")
        return Step("stop" if expired else "use", error)
    return Step("refresh")


def _was_refused(attempt: Attempt | None, key: str | None) -> bool:
    return attempt is not None and attempt.outcome == "refused" and attempt.key == key


def _no_token(record: Record | None) -> AuthorizationRequired:
    if record is not None and record.status == "revoked":
        return AuthorizationRequired("its token was revoked", next_step=LOGIN)
    if record is not None and record.failure is not None:
        return _remembered(record, "it has no token")
    return AuthorizationRequired(
        "it has no token yet", next_step=f"{LOGIN} or give it an auth_code in the config."
    )


def _replaced_seed() -> ConfigurationError:
    return ConfigurationError(
        "its seed was used before, and another one has replaced it in the token store",
        next_step="If two projects share the store, give their connections different names; "
        "else run: tiktok-auth login {connection}",
    )


def _ended(record: Record, token: Token) -> AuthorizationRequired:
    if record.failure is not None:
        return _remembered(record, "TikTok refuses the token")
    if token.long_term:
        cause = "its token was revoked, or access was withdrawn"
    else:
        cause = "its token has expired and there is no refresh token"
    return AuthorizationRequired(cause, next_step=LOGIN)


def _consent_over(token: Token) -> AuthorizationRequired:
    when = f" on {as_date(token.refresh_expires_at)}" if token.refresh_expires_at else ""
    return AuthorizationRequired(f"the consent ended{when}", next_step=LOGIN)


def _remembered(record: Record | None, otherwise: str) -> AuthorizationRequired:
    """Return the stored refusal as an error again, without asking TikTok again."""
    failure = record.failure if record else None
    if failure is None:
        return AuthorizationRequired(otherwise, next_step=LOGIN)
    return AuthorizationRequired(
        failure.message,
        code=failure.code,
        request_id=record.request_id if record else None,
        next_step=LOGIN,
    )


def after_grant(
    record: Record,
    grant: Grant,
    sent_at: float,
    *,
    obtained_by: ObtainedBy | None = None,
    seed_hash: str | None = None,
    long_term: bool = False,
) -> Record:
    """Return the record once TikTok granted a token.

    Args:
        record: What was stored.
        grant: TikTok's answer.
        sent_at: When the request was sent.
        obtained_by: How the new chain started; None if the answer is that of a refresh.
        seed_hash: Keyed hash of the seed of the new chain.
        long_term: Whether the token system's tokens have no timer unless told otherwise.
    """
    new_chain = obtained_by is not None
    previous = None if new_chain else record.token
    token = token_from_grant(grant, sent_at, previous, long_term=long_term)
    spent = record.spent_seeds
    if seed_hash and obtained_by in {"auth_code", "refresh_token"} and seed_hash not in spent:
        spent = (*spent, seed_hash)
    known_scopes = None if new_chain else record.scopes
    return replace(
        record,
        generation=record.generation + 1,
        token=token,
        seed_hash=seed_hash if new_chain else record.seed_hash,
        spent_seeds=spent,
        status="active",
        obtained_by=obtained_by or record.obtained_by,
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
    record: Record, error: TikTokAuthError, now: float, *, attempt: str, action: Action
) -> tuple[Record, tuple[EventName, ...]]:
    """Return the record, and what to note in the audit trail, once a token request failed.

    Args:
        record: What was stored.
        error: How it failed.
        now: Seconds since the epoch.
        attempt: Key of the attempt.
        action: What was tried.
    """
    if isinstance(error, Interrupted):
        return replace(record, attempt=None), ()
    renewal = action == "refresh"
    works = renewal and record.token is not None and record.token.state(now, 0) != "expired"
    status: Status
    events: tuple[EventName, ...]
    outcome: Attempt | None = None
    if isinstance(error, NoAnswer):
        status, events = "unconfirmed", ("unconfirmed",)
        outcome = Attempt(attempt, now, "unconfirmed")
    elif isinstance(error, TryAgainLater | ConfigurationError):
        status = "refresh_failing" if renewal else "pending"
        events = ("refresh_failed",) if renewal else ()
    else:
        status = "refresh_failing" if works else "reauthorization_required"
        failed: tuple[EventName, ...] = ("refresh_failed",) if renewal else ()
        ended: tuple[EventName, ...] = () if works else ("reauthorization_required",)
        events = failed + ended
        if isinstance(error, GrantRejected):
            outcome = Attempt(attempt, now, "refused")
    failure = Failure(error.cause, now, error.code)
    changed = replace(
        record,
        status=status,
        attempt=outcome,
        failure=failure,
        request_id=error.request_id or record.request_id,
    )
    return changed, events


def lost_answer(record: Record) -> Record:
    """Return the record of a connection whose last holder died between sending and committing."""
    attempt = record.attempt
    if attempt is None or attempt.outcome != "sent":
        return record
    return replace(
        record,
        status="unconfirmed",
        attempt=replace(attempt, outcome="unconfirmed"),
        failure=Failure("a process ended before it could store TikTok's answer", attempt.at),
    )


def explain_loss(record: Record, error: TikTokAuthError, attempt: str) -> TikTokAuthError:
    """Word a refusal that follows an attempt whose answer was lost.

    TikTok then most likely carried out the earlier request, and its answer, with the only token
    that still works, is gone.
    """
    earlier = record.attempt
    if earlier is None or earlier.outcome != "unconfirmed" or earlier.key != attempt:
        return error
    if not isinstance(error, AuthorizationRequired):
        return error
    cause = (
        f"{error.cause}; the request of {as_time(earlier.at)} got no answer, so TikTok most likely "
        "carried it out and the new token was lost on the way"
    )
    return type(error)(cause, next_step=LOGIN, code=error.code, request_id=error.request_id)


def after_rejection(record: Record, error: TikTokAuthError, now: float) -> Record:
    """Return the record once TikTok refused its access token in use.

    A token that can be refreshed is given up. One that cannot is kept: nothing replaces it, and
    TikTok is asked about it again by the next run.
    """
    token = record.token
    refreshable = token is not None and token.can_refresh(now)
    return replace(
        record,
        token=token.ended(now) if token and refreshable else token,
        status=record.status if refreshable else "reauthorization_required",
        failure=Failure(error.cause, now, error.code),
        request_id=error.request_id or record.request_id,
    )


def after_confirmation(
    record: Record,
    now: float,
    *,
    subject_id: str | None = None,
    scopes: tuple[str, ...] | None = None,
) -> Record:
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


def consent_days_left(token: Token | None, now: float) -> int | None:
    """Return the whole days until the consent ends; None if it has no end that is known."""
    if token is None or token.consent_deadline is None:
        return None
    return int((token.consent_deadline - now) // 86_400)


def consent_warning(record: Record, now: float, days: int) -> AuthorizationRequired | None:
    """Return a warning if the consent ends within *days*; else None."""
    left = consent_days_left(record.token, now)
    if left is None or left >= days or record.token is None:
        return None
    when = as_date(record.token.consent_deadline or now)
    return AuthorizationRequired(
        f"its consent ends on {when}, in {left} days; refreshing does not move that",
        next_step=f"{LOGIN} before then.",
    )


def after_revocation(record: Record) -> Record:
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
    record: Record,
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


def as_time(moment: float) -> str:
    """Return *moment* as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_date(moment: float) -> str:
    """Return the UTC date of *moment*."""
    return as_time(moment)[:10]
