"""What a consent leaves behind: apps, grants, codes and tokens. Data, with no rules of an API."""

from __future__ import annotations

from dataclasses import dataclass, field

APIS = ("marketing", "accounts", "creator_marketplace", "creator", "login_kit")

PORTAL = "portal"
ACCOUNT_HOLDER = "account_holder"
LOGIN_KIT = "login_kit"

PAGE_OF = {
    "marketing": PORTAL,
    "creator_marketplace": PORTAL,
    "accounts": ACCOUNT_HOLDER,
    "creator": ACCOUNT_HOLDER,
    "login_kit": LOGIN_KIT,
}
"""Which consent page belongs to which token system."""


@dataclass(frozen=True)
class SimulatedApp:
    """A developer app as one token system sees it.

    Attributes:
        api: The token system.
        app_id: The app id; Login Kit calls it client key.
        app_secret: The app secret.
        redirect_uri: The first redirect URI registered for that token system.
    """

    api: str
    app_id: str
    app_secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True)
class Tokens:
    """The tokens of one grant, as TikTok returned them.

    Attributes:
        access_token: The access token.
        refresh_token: The refresh token; ``None`` for a long-term token.
        open_id: Who granted it: open id, or the core user id of the portal.
        expires_in: Remaining seconds of the access token; ``None`` if it has no timer.
        refresh_expires_in: Remaining seconds of the refresh token.
        scopes: Scope names or ids.
        advertiser_ids: Advertisers granted, if any.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    open_id: str
    expires_in: int | None
    refresh_expires_in: int | None
    scopes: tuple[str, ...]
    advertiser_ids: tuple[str, ...]


@dataclass(eq=False)
class Grant:
    """One consent of one person to one app.

    Attributes:
        api: The token system.
        app_id: The app that was authorised.
        subject: The person, as that app sees them.
        scopes: What was allowed.
        advertiser_ids: Advertisers that the app may manage.
        tcm_account_ids: Creator Marketplace brand accounts.
        granted_at: Epoch seconds.
        deadline: Epoch seconds after which no refresh works.
        revoked: Whether the person or the app has withdrawn it.
    """

    api: str
    app_id: str
    subject: str
    scopes: tuple[str, ...]
    advertiser_ids: tuple[str, ...]
    tcm_account_ids: tuple[str, ...]
    granted_at: float
    deadline: float
    revoked: bool = False


@dataclass(eq=False)
class Code:
    """An authorization code: one grant, one use, some minutes."""

    grant: Grant
    page: str
    redirect_uri: str
    expires_at: float
    code_challenge: str | None = None
    used: bool = False

    def state(self, now: float) -> str:
        """Return ``live``, ``rotated`` (used), ``expired`` or ``revoked``."""
        if self.grant.revoked:
            return "revoked"
        if self.used:
            return "rotated"
        return "expired" if now >= self.expires_at else "live"


@dataclass(eq=False)
class Token:
    """An access or refresh token.

    Attributes:
        kind: ``access``, ``refresh`` or ``client``.
        grant: The grant behind it; a client token has none.
        app_id: The app that it was issued to.
        expires_at: Epoch seconds; ``None`` for a token without a timer.
        rotated: Whether a newer refresh token has taken its place.
    """

    kind: str
    app_id: str
    grant: Grant | None
    expires_at: float | None
    rotated: bool = False

    def state(self, now: float) -> str:
        """Return ``live``, ``rotated``, ``expired`` or ``revoked``."""
        if self.grant is not None and self.grant.revoked:
            return "revoked"
        if self.rotated:
            return "rotated"
        expired = self.expires_at is not None and now >= self.expires_at
        return "expired" if expired else "live"
