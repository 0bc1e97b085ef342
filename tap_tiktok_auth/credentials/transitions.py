"""What to store once something happened to a token, as pure functions.

The other half of `lifecycle`. Each transition returns a `Change`: the connection as it is to be
stored, and what to note of that in the audit trail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from tap_tiktok_auth.credentials.lifecycle import (
    LOGIN,
    TokenOptions,
    can_renew,
    is_unanswered,
)
from tap_tiktok_auth.credentials.models import (
    Event,
    LastError,
    StoredConnection,
    Token,
    TokenRequestMark,
)
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
    from tap_tiktok_auth.apis.base import Identity, TokenResponse
    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.lifecycle import Action
    from tap_tiktok_auth.credentials.models import EventName, ObtainedBy, Status

#: Shows a secret, if there is one, by a hash of it.
Fingerprint = Callable[[str | None], str | None]

#: Two readings of one consent deadline differ by the travel time of the requests they were
#: computed from; a difference up to this many seconds is no move of the deadline.
DEADLINE_TOLERANCE = 300.0

#: Fields that a response has only if its token ends.
_TIMED = frozenset({"expires_in", "expires", "refresh_token"})

_GRANTED: dict[Action, EventName] = {
    "refresh": "refreshed",
    "exchange": "exchanged",
    "client_token": "exchanged",
    "import": "imported",
}


class Change(NamedTuple):
    """A connection as it is to be stored, and the events that this is."""

    stored: StoredConnection
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class TokenRequest:
    """A token request that is due, for a connection whose lease is held.

    Attributes:
        connection: The connection, with the app and the token system to ask.
        stored: What was stored when the lease was taken.
        action: What to ask for.
        holder: The lease's holder.
        key: Keyed hash of all credentials in the request.
        sent_at: When the request was decided on, seconds since the epoch.
        seed_hash: Keyed hash of the configured seed.
        options: How the token was asked for.
        is_new: The store had no such connection before.
        was_lost: The former holder died before it could store TikTok's answer.
    """

    connection: Connection
    stored: StoredConnection
    action: Action
    holder: str = ""
    key: str = ""
    sent_at: float = 0.0
    seed_hash: str | None = None
    options: TokenOptions = field(default_factory=TokenOptions)
    is_new: bool = False
    was_lost: bool = False

    @property
    def marked(self) -> StoredConnection:
        """What is stored from before the request is sent until its answer is committed.

        Whoever finds the mark without a holder knows that the request may have been sent.
        """
        return replace(self.stored, attempt=TokenRequestMark(self.key, self.sent_at, "sent"))

    @property
    def event(self) -> EventName:
        """The event that its success is."""
        return _GRANTED[self.action]

    @property
    def is_renewal(self) -> bool:
        """Whether its answer replaces a token of the same chain."""
        return self.stored.token is not None and self.action in {"refresh", "client_token"}

    def leaves_token(self, now: float) -> bool:
        """Whether there is a token to use although the request failed."""
        token = self.stored.token
        return token is not None and self.is_renewal and token.state(now, 0) != "expired"


def granted(
    request: TokenRequest,
    response: TokenResponse,
    sent_at: float,
    fingerprint: Fingerprint,
    *,
    obtained_by: ObtainedBy | None = None,
    long_term: bool = False,
    origin: str | None = None,
) -> Change:
    """Return the change once TikTok granted a token.

    Args:
        request: What was asked for.
        response: TikTok's answer.
        sent_at: When the request was sent, seconds since the epoch.
        fingerprint: Shows tokens in events.
        obtained_by: How the new chain started; None if the response is that of a refresh.
        long_term: Whether the token system's tokens have no timer unless told otherwise.
        origin: Who answered.
    """
    before, app = request.stored, request.connection.app
    previous = None if obtained_by else before.token
    changed = replace(
        before,
        generation=before.generation + 1,
        token=token_from_response(response, sent_at, previous, long_term=long_term),
        status="active",
        origin=origin,
        attempt=None,
        failure=None,
        request_id=response.request_id,
        verified_at=None,
    )
    if obtained_by:
        options = request.options
        seed_hash = options.configured_seed_hash if options.login else request.seed_hash
        # An access token alone is not used up; with a refresh token it is, once that was sent.
        uses_up = obtained_by not in {"access_token", "client_credentials"}
        changed = replace(
            changed,
            api=request.connection.api,
            app_id=app.app_id if app else "",
            app_secret=app.secret if app and options.login else None,
            redirect_uri=request.connection.redirect_uri,
            seed_hash=seed_hash,
            spent_seeds=_spent(before, seed_hash if uses_up else None),
            obtained_by=obtained_by,
            subject_id=response.subject_id,
            scopes=response.scopes,
            last_refreshed_at=None,
            refresh_count=0,
        )
    else:
        changed = replace(
            changed,
            spent_seeds=_spent(before, before.seed_hash),
            subject_id=response.subject_id or before.subject_id,
            scopes=before.scopes if response.scopes is None else response.scopes,
            last_refreshed_at=sent_at,
            refresh_count=before.refresh_count + 1,
        )
    names: tuple[EventName, ...] = (request.event,)
    if not obtained_by and changed.scopes != before.scopes:
        names = (*names, "scopes_changed")
    return Change(changed, (*_lost(request), *_events(names, before, changed, fingerprint)))


def failed(
    request: TokenRequest, error: TikTokAuthError, now: float, fingerprint: Fingerprint
) -> Change:
    """Return the change once a token request failed.

    Args:
        request: What was asked for.
        error: How it failed.
        now: Seconds since the epoch.
        fingerprint: Shows tokens in events.
    """
    before, lost = request.stored, _lost(request)
    if isinstance(error, Interrupted):
        return Change(before, lost)
    names: tuple[EventName, ...] = ("refresh_failed",) if request.is_renewal else ()
    # A code that TikTok refuses is not sent again as it is, also if the app may be to blame.
    refused = isinstance(error, GrantRejected) or (
        request.action == "exchange"
        and isinstance(error, ConfigurationError)
        and error.code is not None
    )
    if _is_refused(before) and not (refused or isinstance(error, AuthorizationRequired)):
        # What TikTok refused stays refused, and that error is the one to repeat.
        changed = before
    else:
        status: Status = "refresh_failing" if request.is_renewal else "pending"
        # The credential is as good as before: what became of an earlier request is still open.
        mark = before.attempt if is_unanswered(before.attempt, request.key) else None
        if isinstance(error, AuthorizationRequired):
            mark = None
            if not request.leaves_token(now):
                status, names = "reauthorization_required", (*names, "reauthorization_required")
        elif isinstance(error, NoAnswer):
            mark, names = TokenRequestMark(request.key, now, "unconfirmed"), ("unconfirmed",)
        if mark is not None and not refused:
            status = "unconfirmed"
        if refused:
            mark = TokenRequestMark(request.key, now, "refused")
        # A new seed that fails says nothing about the chain that is there: the config may go back.
        other_chain = before.token is not None and not request.is_renewal
        changed = replace(
            before,
            status=before.status if other_chain else status,
            spent_seeds=_spent(before, request.key if refused else None),
            attempt=mark,
            failure=LastError(error.cause, now, error.code),
            request_id=error.request_id,
        )
    shown = fingerprint if request.is_renewal else _nothing
    return Change(changed, (*lost, *_events(names, before, None, shown, error)))


def stopped(
    stored: StoredConnection, error: TikTokAuthError, now: float, fingerprint: Fingerprint
) -> Change:
    """Return the change once no token was to be had, or it was not confirmed; nothing was sent.

    A token whose end came by the clock alone gets its status here.
    """
    if isinstance(error, Interrupted):
        return Change(stored)
    noted = replace(
        stored, failure=LastError(error.cause, now, error.code), request_id=error.request_id
    )
    ended = stored.token is not None and stored.token.state(now, 0) == "expired"
    settled = stored.status in {"reauthorization_required", "revoked"}
    if ended and not settled and isinstance(error, AuthorizationRequired):
        over = replace(noted, status="reauthorization_required")
        return Change(
            over, _events(("reauthorization_required",), stored, None, fingerprint, error)
        )
    if stored.status != "active" or _is_refused(stored):
        return Change(stored)
    return Change(noted)


def rejected(
    stored: StoredConnection, error: TikTokAuthError, now: float, fingerprint: Fingerprint
) -> Change:
    """Return the change once TikTok refused the access token in use.

    A token that can be renewed is given up. One that cannot is kept: nothing replaces it, and
    TikTok is asked about it again by the next run.
    """
    changed = replace(
        stored, failure=LastError(error.cause, now, error.code), request_id=error.request_id
    )
    if can_renew(stored, now):
        return Change(replace(changed, token=stored.token and stored.token.ended(now)))
    over = replace(changed, status="reauthorization_required")
    if stored.status == over.status:
        return Change(over)
    return Change(over, _events(("reauthorization_required",), stored, None, fingerprint, error))


def confirmed(
    stored: StoredConnection, identity: Identity, now: float, fingerprint: Fingerprint
) -> Change:
    """Return the change once TikTok confirmed the access token in use.

    A failed or unanswered refresh stays on record: the token works, its renewal does not.
    """
    well = stored.status in {"active", "reauthorization_required", "pending"}
    changed = replace(
        stored,
        status="active" if well else stored.status,
        failure=None if well else stored.failure,
        subject_id=identity.subject_id or stored.subject_id,
        scopes=stored.scopes if identity.scopes is None else identity.scopes,
        verified_at=now,
    )
    news = stored.scopes is not None and stored.scopes != changed.scopes
    names: tuple[EventName, ...] = ("scopes_changed",) if news else ()
    return Change(changed, _events(names, stored, changed, fingerprint))


def revoked(stored: StoredConnection, fingerprint: Fingerprint) -> Change:
    """Return the change once the token was revoked: the row stays, the secrets go."""
    changed = replace(
        stored,
        generation=stored.generation + 1,
        token=None,
        status="revoked",
        attempt=None,
        failure=None,
    )
    return Change(changed, _events(("revoked",), stored, None, fingerprint))


def lost_answer(stored: StoredConnection) -> StoredConnection:
    """Return a connection whose last lease holder died between sending and committing as such."""
    mark = stored.attempt
    if mark is None or mark.outcome != "sent":
        return stored
    return replace(
        stored,
        status="unconfirmed",
        attempt=replace(mark, outcome="unconfirmed"),
        failure=LastError("a process ended before it could store TikTok's answer", mark.at),
    )


def explain_loss(request: TokenRequest, error: TikTokAuthError) -> TikTokAuthError:
    """Return a refusal with the reason that an earlier request without an answer gives it.

    TikTok then most likely carried out the earlier request, and its answer, with the only token
    that still works, is gone.
    """
    earlier = request.stored.attempt
    if earlier is None or not is_unanswered(earlier, request.key):
        return error
    if not isinstance(error, AuthorizationRequired):
        return error
    cause = (
        f"{error.cause}; the request of {as_time(earlier.at)} got no answer, so TikTok most likely "
        "carried it out and the new token was lost on the way"
    )
    return type(error)(cause, next_step=LOGIN, code=error.code, request_id=error.request_id)


def token_from_response(
    response: TokenResponse,
    requested_at: float,
    previous: Token | None = None,
    *,
    long_term: bool = False,
) -> Token:
    """Return the token that a response brought.

    Lifetimes count from the moment of the request, so that they are never overstated. What a
    response leaves out is kept from *previous*: a refresh that brings no refresh token leaves the
    old one valid. (TikTok docs, long-term access token: "does not expire".)
    """
    refresh_token = response.refresh_token or (previous.refresh_token if previous else None)
    deadline = previous.consent_deadline if previous else None
    if response.refresh_expires_in is not None:
        told = requested_at + response.refresh_expires_in
        if deadline is None or abs(told - deadline) > DEADLINE_TOLERANCE:
            deadline = told
    ends = response.expires_in is not None or not _TIMED.isdisjoint(response.unread)
    return Token(
        access_token=response.access_token,
        refresh_token=refresh_token,
        issued_at=requested_at,
        expires_at=None if response.expires_in is None else requested_at + response.expires_in,
        refresh_expires_at=deadline if refresh_token else None,
        consent_deadline=deadline if refresh_token else None,
        long_term=long_term and not ends and refresh_token is None,
    )


def _is_refused(stored: StoredConnection) -> bool:
    return stored.attempt is not None and stored.attempt.outcome == "refused"


def _spent(stored: StoredConnection, seed: str | None) -> tuple[str, ...]:
    known = stored.spent_seeds
    return known if seed is None or seed in known else (*known, seed)


def _lost(request: TokenRequest) -> tuple[Event, ...]:
    """Return the event that a former holder may have died with TikTok's answer, if one has."""
    if not request.was_lost:
        return ()
    return _events(("unconfirmed",), request.stored, None, _nothing)


def _nothing(_: str | None) -> None:
    """Show nothing."""


def _events(
    names: tuple[EventName, ...],
    before: StoredConnection,
    after: StoredConnection | None,
    fingerprint: Fingerprint,
    error: TikTokAuthError | None = None,
) -> tuple[Event, ...]:
    """Return lines of the audit trail about a token."""
    if not names:
        return ()
    source = error or after or before
    event = Event(
        name=names[0],
        connection=before.name,
        fingerprint_before=fingerprint(before.token.access_token) if before.token else None,
        fingerprint_after=fingerprint(after.token.access_token) if after and after.token else None,
        error_code=error.code if error else None,
        error_message=error.cause if error else None,
        request_id=source.request_id,
    )
    return tuple(event._replace(name=name) for name in names)
