"""What the store keeps of a connection, as values.

All times are seconds since the epoch, UTC. What there may be a hundred thousand of is a named
tuple, which is small.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from tap_tiktok_auth.errors import AuthorizationRequired, TikTokAuthError

if TYPE_CHECKING:
    from tap_tiktok_auth.config.models import Connection

TokenState = Literal["fresh", "stale", "expired"]
TokenLifetime = Literal["long_term", "short_term"]
ObtainedBy = Literal["auth_code", "refresh_token", "access_token", "login", "client_credentials"]
Status = Literal[
    "active",
    "refresh_failing",
    "unconfirmed",
    "reauthorization_required",
    "revoked",
    "pending",
]

EventName = Literal[
    "exchanged",
    "imported",
    "refreshed",
    "refresh_failed",
    "unconfirmed",
    "revoked",
    "reauthorization_required",
    "advertiser_granted",
    "advertiser_lost",
    "scopes_changed",
]

AdvertiserSource = Literal["advertiser_get", "token_response", "config"]

#: Seconds for which a token whose end is unknown is used before it is renewed, if it can be: half
#: of the shortest life that TikTok documents.
UNKNOWN_LIFE_USED = 3600.0

#: A token that was issued later than this many seconds from now was issued by a wrong clock.
CLOCK_TOLERANCE = 300.0


@dataclass(frozen=True)
class Token:
    """An access token that is held, and the means to renew it.

    Attributes:
        issued_at: When the request that brought it was sent.
        expires_at: When the access token ends; None if it has no timer or its end is unknown.
        refresh_expires_at: When the refresh token ends; None if not told.
        consent_deadline: After this time no refresh works and a person must authorise again.
        long_term: The token has no timer: it works until someone revokes it.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    issued_at: float = 0.0
    expires_at: float | None = None
    refresh_expires_at: float | None = None
    consent_deadline: float | None = None
    long_term: bool = False

    @property
    def lifetime(self) -> TokenLifetime:
        """`long_term` for a token without a timer, else `short_term`."""
        return "long_term" if self.long_term else "short_term"

    @property
    def refreshable(self) -> bool:
        """Whether there is a refresh token."""
        return self.refresh_token is not None

    def state(self, now: float, margin: float) -> TokenState:
        """Say whether to use the token, to renew it first, or that it has ended.

        Args:
            now: Seconds since the epoch.
            margin: Renew when less than this many seconds is left. Never more than half of the
                token's own lifetime, so that short-lived tokens are not renewed on every use.

        Returns:
            `fresh`, `stale` or `expired`. A token whose end is unknown becomes stale with time, and
            has ended only once TikTok refuses it.
        """
        if self.expires_at is None:
            aged = not self.long_term and now - self.issued_at > UNKNOWN_LIFE_USED
            return "stale" if aged else "fresh"
        if now >= self.expires_at:
            return "expired"
        half_life = max(self.expires_at - self.issued_at, 0.0) / 2
        return "stale" if self.expires_at - now < min(margin, half_life) else "fresh"

    def is_misdated(self, now: float) -> bool:
        """Whether the clock was put back since, so that the token ends earlier than it seems."""
        return now < self.issued_at - CLOCK_TOLERANCE

    def can_refresh(self, now: float) -> bool:
        """Whether a refresh token is there and, as far as TikTok told, still lives."""
        return self.refreshable and (
            self.refresh_expires_at is None or now < self.refresh_expires_at
        )

    def ended(self, at: float) -> Token:
        """Return this token as one that ended at *at*, because TikTok refused it."""
        return dataclasses.replace(self, expires_at=at)


@dataclass(frozen=True)
class TokenRequestMark:
    """A token request whose fate the store must remember.

    Attributes:
        key: Keyed hash of all credentials in the request; tells one attempt from another.
        at: When it was begun, seconds since the epoch.
        outcome: `sent` from before the request until its result is committed; whoever finds it
            without a holder knows that a process died in between. `unconfirmed`: no usable answer.
            `refused`: TikTok refused the credential for good, so it is not sent again.
    """

    key: str
    at: float
    outcome: Literal["sent", "unconfirmed", "refused"]


@dataclass(frozen=True)
class LastError:
    """The last error of a connection, safe to show."""

    message: str
    at: float
    code: str | None = None


@dataclass(frozen=True)
class StoredConnection:
    """A stored connection.

    Attributes:
        generation: Counts the tokens the connection has had; every commit of tokens compares and
            swaps it.
        app_secret: The app secret that came with a login.
        redirect_uri: The redirect URI that came with a login.
        seed_hash: Keyed hash of the seed that the chain started from; None after a login.
        spent_seeds: Keyed hashes of all seeds that TikTok has taken, and the keys of all requests
            that it refused; they are never sent again.
        obtained_by: How the chain started.
        origin: Scheme, host and port that gave the tokens; they go to no other. None if an older
            version stored them.
        subject_id: Whom the token speaks for.
        scopes: The token's scopes, sorted; None if never told.
        attempt: The token request that is unsettled, if any.
        failure: The last error since the connection was last well.
        request_id: TikTok's id of the last token request.
        verified_at: When TikTok last confirmed the token.
    """

    name: str
    api: str
    app_id: str
    generation: int = 0
    token: Token | None = None
    app_secret: str | None = field(default=None, repr=False)
    redirect_uri: str | None = None
    seed_hash: str | None = None
    spent_seeds: tuple[str, ...] = ()
    status: Status = "pending"
    obtained_by: ObtainedBy | None = None
    origin: str | None = None
    subject_id: str | None = None
    scopes: tuple[str, ...] | None = None
    last_refreshed_at: float | None = None
    refresh_count: int = 0
    attempt: TokenRequestMark | None = None
    failure: LastError | None = None
    request_id: str | None = None
    verified_at: float | None = None


@dataclass(frozen=True)
class Credentials:
    """A connection's token, ready to be used.

    Attributes:
        connection: The connection, with the app that the token belongs to.
        stored: What the store has of it.
        warning: Why the token, which still works, could not be renewed.
        renewal: What was done to have it; None if it was there, or someone else's work.
    """

    connection: Connection
    stored: StoredConnection
    warning: TikTokAuthError | None = None
    renewal: EventName | None = None

    @property
    def token(self) -> Token:
        """The token."""
        if self.stored.token is None:
            raise AuthorizationRequired(
                "it has no token", next_step="Run: tiktok-auth login {connection}"
            )
        return self.stored.token


class Event(NamedTuple):
    """A line of the audit trail, before the store gives it an id.

    Tokens are shown by their fingerprints before and after; the error is safe to show.
    """

    name: EventName
    connection: str
    fingerprint_before: str | None = None
    fingerprint_after: str | None = None
    advertiser_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    request_id: str | None = None


class StoredEvent(NamedTuple):
    """An event as the store has it.

    The id grows with every event of a store, in the order of their commits; *host*, *pid* and
    *tap_version* tell who wrote it.
    """

    event_id: int
    occurred_at: float
    event: Event
    host: str
    pid: int
    tap_version: str


class AdvertiserAccess(NamedTuple):
    """An ad account that a connection has or had.

    The name is None if it was never told; *lost_at* is when it was found gone, None while it is
    granted.
    """

    advertiser_id: str
    name: str | None
    source: AdvertiserSource
    first_seen_at: float
    last_seen_at: float
    lost_at: float | None = None


@dataclass(frozen=True)
class AdvertiserListing:
    """Ad accounts that were seen granted at one moment.

    Attributes:
        advertisers: Pairs of id and name; a None name keeps the one that is known.
        source: Who told.
        complete: Whether accounts that are not among them are lost.
    """

    advertisers: tuple[tuple[str, str | None], ...]
    source: AdvertiserSource
    complete: bool


@dataclass(frozen=True)
class PendingLogin:
    """A login that was begun and not yet finished.

    Attributes:
        code_verifier: The PKCE verifier (RFC 7636).
        origin: Scheme, host and port that the code and the app secret are for.
    """

    connection: str
    api: str
    app_id: str
    app_secret: str = field(repr=False)
    redirect_uri: str
    code_verifier: str | None = field(default=None, repr=False)
    begun_at: float = 0.0
    origin: str | None = None
