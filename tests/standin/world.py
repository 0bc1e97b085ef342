"""What the stand-in knows: apps, consents, codes, tokens, each used as strictly as documented."""

from __future__ import annotations

import itertools
import secrets
import time
from dataclasses import dataclass, field

DAY = 86_400
YEAR = 365 * DAY
SUBJECT = "user-open-id-1"
SCOPES = "user.info.username,user.info.basic,video.list"
ADVERTISERS = {"7001": "First shop", "9007199254740993": "Second shop"}


class Refusal(Exception):
    """TikTok refuses: with a number of the Business API, or a name of Login Kit."""

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass
class Consent:
    """What a person agreed to, and the only refresh token that still works for it."""

    app_id: str
    timed: bool
    subject: str | None
    scopes: str | list[int]
    advertisers: dict[str, str]
    ends_at: float
    refresh_token: str | None = None
    revoked: bool = False


@dataclass
class Access:
    """An access token that was handed out."""

    consent: Consent
    expires_at: float | None


@dataclass
class Code:
    """An authorization code that was handed out."""

    consent: Consent
    expires_at: float
    verifier: str | None = None
    used: bool = False


#: Apps by their ids, which are numbers as TikTok's are.
_APPS = {
    f"700000000000000000{number}": name
    for number, name in enumerate(
        ("marketing", "creator_marketplace", "accounts", "creator", "login_kit", "healthy", "other")
    )
}


def name_of(app_id: str) -> str:
    """Return what a test calls an app."""
    return _APPS[app_id]


def app_of(name: str) -> str:
    """Return the id of the app that tests call so."""
    return next(app_id for app_id, known in _APPS.items() if known == name)


@dataclass
class World:
    """All of TikTok's knowledge, with a clock of its own."""

    apps: dict[str, str] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, Access] = field(default_factory=dict)
    refresh: dict[str, Consent] = field(default_factory=dict)
    issued: set[str] = field(default_factory=set)
    offset: float = 0.0
    rotates: bool = True
    app_tokens: int = 0
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def now(self) -> float:
        """Return the time by TikTok's clock."""
        return time.time() + self.offset

    def secret(self, prefix: str) -> str:
        """Return a new credential, and remember that it is one."""
        value = f"{prefix}.{secrets.token_hex(12)}{next(self._count)}"
        self.issued.add(value)
        return value

    def add_app(self, app_id: str) -> str:
        """Register an app and return its secret."""
        self.apps[app_id] = self.secret("app-secret")
        return self.apps[app_id]

    def consent(
        self,
        app_id: str,
        *,
        timed: bool,
        advertisers: dict[str, str] | None = None,
        verifier: str | None = None,
    ) -> str:
        """Let a person consent, and return the code of the callback."""
        given = Consent(
            app_id,
            timed,
            SUBJECT if timed else None,
            SCOPES if timed else [4, 7533163835474346001, 1],
            dict(ADVERTISERS if advertisers is None else advertisers),
            ends_at=self.now() + YEAR,
        )
        code = self.secret("code*1!")
        self.codes[code] = Code(given, self.now() + (600 if timed else 3600), verifier)
        return code

    def take_code(self, code: object, app_id: str, *, timed: bool) -> Consent:
        """Spend a code, once, in the flow that it belongs to."""
        known = self.codes.get(code) if isinstance(code, str) else None
        if known is None or known.consent.app_id != app_id:
            raise Refusal(40110, "Invalid auth_code.")
        if known.consent.timed != timed:
            raise Refusal(40131, "Authorization code is expired")
        if known.used or known.expires_at < self.now():
            raise Refusal(40110, "The auth_code is canceled. Please re-authorize and try again.")
        known.used = True
        return known.consent

    def take_refresh(self, token: object, app_id: str) -> Consent:
        """Spend a refresh token, once."""
        consent = self.refresh.get(token) if isinstance(token, str) else None
        if consent is None or consent.app_id != app_id or consent.revoked:
            raise Refusal(40107, "Invalid refresh_token.")
        if consent.refresh_token != token:
            raise Refusal(40107, "Invalid refresh_token: used before.")
        if consent.ends_at < self.now():
            raise Refusal(40103, "Refresh token has expired.")
        return consent

    def hand_out(self, consent: Consent, *, refreshable: bool) -> tuple[str, str | None]:
        """Return a new access token and, for consents with a timer, the next refresh token."""
        token = self.secret("act")
        expires_at = self.now() + DAY if refreshable else None
        self.access[token] = Access(consent, expires_at)
        if not refreshable:
            return token, None
        if self.rotates or consent.refresh_token is None:
            consent.refresh_token = self.secret("rft")
            self.refresh[consent.refresh_token] = consent
        return token, consent.refresh_token

    def who(self, token: object) -> Consent:
        """Return whose access token that is."""
        if not token:
            raise Refusal(40104, "Access token is null, you should set it in http header.")
        known = self.access.get(token) if isinstance(token, str) else None
        if known is None or known.consent.revoked:
            raise Refusal(40105, "Access token is incorrect or has been revoked.")
        if known.expires_at is not None and known.expires_at < self.now():
            raise Refusal(40102, "Access token has expired.")
        return known.consent

    def check_app(self, app_id: object, secret: object) -> str:
        """Return the app id if the secret belongs to it."""
        if not isinstance(app_id, str) or self.apps.get(app_id) != secret:
            raise Refusal(40113, "The app_id or secret is wrong.")
        return app_id

    def revoke_all(self) -> None:
        """Let everyone withdraw their consent."""
        for access in self.access.values():
            access.consent.revoked = True

    def revoke_refresh_tokens(self) -> None:
        """End all refresh tokens, leaving the access tokens."""
        self.refresh.clear()

    def kill_access_tokens(self) -> None:
        """End all access tokens, leaving the refresh tokens."""
        self.access.clear()
