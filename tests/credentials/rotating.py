"""A made-up TikTok for histories: every credential works once, and it keeps account of that."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from tap_tiktok_auth.apis.base import TokenResponse
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    ConfigurationError,
    GrantRejected,
    NoAnswer,
    RateLimited,
    TikTokAuthError,
    Unreachable,
)

LIFE = 86_400
CONSENT = 40 * LIFE

#: What can become of a request, and the errors of those that are not answered well.
FATES = ("answered", "lost", "never_arrived", "killed_after", "killed_before", "later", "misread")


class Killed(Exception):
    """The process ended between sending and committing."""


@dataclass
class Rotating:
    """Codes, refresh tokens and access tokens, with strict rotation.

    Attributes:
        alive: Credentials that work, with the end of their consent.
        taken: Credentials that were taken and whose answer came back.
        refused: Credentials that were refused, and that the asker was told so.
        access: Access tokens that work, with their ends.
        rotates: Whether a refresh brings a new refresh token.
    """

    alive: dict[str, float] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    access: dict[str, float] = field(default_factory=dict)
    serial: dict[str, int] = field(default_factory=dict)
    rotates: bool = True
    posts: list[str] = field(default_factory=list)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def new(self, kind: str) -> str:
        """Return a new credential."""
        number = next(self._count)
        name = f"{kind}-{number}"
        self.serial[name] = number
        return name

    def grant_consent(self, kind: str, now: float) -> str:
        """Let a person consent; return the code or refresh token that comes of it."""
        credential = self.new(kind)
        self.alive[credential] = now + CONSENT
        return credential

    def post(self, credential: str, now: float, fate: str) -> TokenResponse:
        """Take a token request.

        Raises:
            TikTokAuthError: What the client would raise.
            Killed: The asking process is no more.
        """
        self.posts.append(credential)
        if fate == "never_arrived":
            raise Unreachable("no connection")
        if fate == "later":
            raise RateLimited("later", code="40100")
        if fate == "misread":
            raise ConfigurationError("wrong app", code="40113")
        if fate == "killed_before":
            raise Killed
        outcome = self._carry_out(credential, now)
        if fate == "killed_after":
            raise Killed
        if fate == "lost":
            raise NoAnswer("broke off")
        if isinstance(outcome, TikTokAuthError):
            self.refused.add(credential)
            raise outcome
        if outcome.refresh_token is not None or credential not in self.alive:
            self.taken.add(credential)
        return outcome

    def _carry_out(self, credential: str, now: float) -> TokenResponse | TikTokAuthError:
        ends_at = self.alive.get(credential)
        if ends_at is None or ends_at < now:
            return GrantRejected("refused", code="40107", request_id="r1")
        token = self.new("access")
        self.access[token] = now + LIFE
        keeps = credential.startswith("refresh") and not self.rotates
        if keeps:
            return TokenResponse(token, None, LIFE, ends_at - now)
        del self.alive[credential]
        refresh = self.new("refresh")
        self.alive[refresh] = ends_at
        return TokenResponse(token, refresh, LIFE, ends_at - now)

    def verify(self, token: str, now: float) -> None:
        """Say whether an access token works.

        Raises:
            AccessTokenRejected: It does not.
        """
        if self.access.get(token, 0.0) <= now:
            raise AccessTokenRejected("refused", code="40105", request_id="r2")
