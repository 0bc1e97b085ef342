"""Old names."""

from __future__ import annotations

from dataclasses import dataclass, field

from tap_tiktok_auth.credentials.models import ObtainedBy, Token, TokenLifetime, TokenState

__all__ = ["ObtainedBy", "Token", "TokenLifetime", "TokenResponse", "TokenState"]


@dataclass(frozen=True)
class TokenResponse:
    """TikTok's answer to an exchange or a refresh, with every spelling made one.

    Attributes:
        access_token: The access token, never empty.
        refresh_token: The refresh token; None if the answer had none or an empty one.
        expires_in: Seconds the access token lives; None if it has no timer or none was told.
        refresh_expires_in: Seconds the refresh token lives; None if not told.
        subject_id: Whom the token speaks for (TikTok's `open_id` or `creator_id`).
        scopes: Granted scopes, sorted; None if the answer does not tell.
        advertiser_ids: Ad accounts named by the answer, in TikTok's order.
        request_id: TikTok's id of the call.
        unread: Fields of the answer that are of no use as they are, and so count as not told.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: float | None = None
    refresh_expires_in: float | None = None
    subject_id: str | None = None
    scopes: tuple[str, ...] | None = None
    advertiser_ids: tuple[str, ...] = ()
    request_id: str | None = None
    unread: tuple[str, ...] = ()
