"""Tokens as values: what TikTok granted, what is kept of it, and in which state it is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import TokenResponse

TokenState = Literal["fresh", "stale", "expired"]
TokenLifetime = Literal["long_term", "short_term"]
ObtainedBy = Literal["auth_code", "refresh_token", "access_token", "login", "client_credentials"]

#: Two readings of one consent deadline differ by the travel time of the requests they were
#: computed from; a difference up to this many seconds is no move of the deadline.
DEADLINE_TOLERANCE = 300.0

#: Seconds for which a token whose end is unknown is used before it is renewed, if it can be: half
#: of the shortest life that TikTok documents.
UNKNOWN_LIFE_USED = 3600.0

#: A token that was issued later than this many seconds from now was issued by a wrong clock.
CLOCK_TOLERANCE = 300.0


@dataclass(frozen=True)
class Token:
    """An access token that is held, and the means to renew it.

    All times are seconds since the epoch, UTC.

    Attributes:
        access_token: The access token.
        refresh_token: The refresh token, if there is one.
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


#: Fields that an answer has only if its token ends.
_TIMED = frozenset({"expires_in", "expires", "refresh_token"})


def token_from_grant(
    grant: TokenResponse,
    requested_at: float,
    previous: Token | None = None,
    *,
    long_term: bool = False,
) -> Token:
    """Turn an answer into a held token.

    Lifetimes count from the moment of the request, so that they are never overstated. What an
    answer leaves out is kept from *previous*: a refresh that brings no refresh token leaves the
    old one valid.

    Args:
        grant: TikTok's answer.
        requested_at: When the request was sent, seconds since the epoch.
        previous: The token that was refreshed; None for a first exchange.
        long_term: Whether a token without a told end and without a refresh token has no timer.
            (TikTok docs, long-term access token: "does not expire".)
    """
    kept = previous.refresh_token if previous else None
    refresh_token = grant.refresh_token or kept
    deadline = previous.consent_deadline if previous else None
    if grant.refresh_expires_in is not None:
        told = requested_at + grant.refresh_expires_in
        if deadline is None or abs(told - deadline) > DEADLINE_TOLERANCE:
            deadline = told
    return Token(
        access_token=grant.access_token,
        refresh_token=refresh_token,
        issued_at=requested_at,
        expires_at=None if grant.expires_in is None else requested_at + grant.expires_in,
        refresh_expires_at=deadline if refresh_token else None,
        consent_deadline=deadline if refresh_token else None,
        long_term=long_term
        and grant.expires_in is None
        and refresh_token is None
        and not _TIMED.intersection(grant.unread),
    )
