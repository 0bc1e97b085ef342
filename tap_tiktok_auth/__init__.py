"""TikTok credentials for data platforms: tokens that stay fresh, are never lost and never leak."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tap_tiktok_auth.version import VERSION

if TYPE_CHECKING:
    from tap_tiktok_auth.auth import TikTokAuthenticator
    from tap_tiktok_auth.errors import TikTokAuthError

__version__ = VERSION

__all__ = ["TikTokAuthError", "TikTokAuthenticator", "__version__"]


_HOMES = {"TikTokAuthenticator": "auth", "TikTokAuthError": "errors"}


def __getattr__(name: str) -> object:
    """Import public names when they are used, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
