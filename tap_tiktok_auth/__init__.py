"""TikTok credentials for data platforms: tokens that stay fresh, are never lost and never leak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.version import VERSION

if TYPE_CHECKING:
    from tap_tiktok_auth.auth import TikTokAuthenticator
    from tap_tiktok_auth.errors import TikTokAuthError

__version__ = VERSION

__all__ = ["TikTokAuthError", "TikTokAuthenticator", "__version__"]


def __getattr__(name: str) -> object:
    """Import public names when they are used, so that importing the package costs nothing."""
    if name == "TikTokAuthenticator":
        from tap_tiktok_auth.auth import TikTokAuthenticator  # noqa: PLC0415  (when used)

        return TikTokAuthenticator
    if name == "TikTokAuthError":
        from tap_tiktok_auth.errors import TikTokAuthError  # noqa: PLC0415  (when used)

        return TikTokAuthError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
