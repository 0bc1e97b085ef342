"""Old names."""

from tap_tiktok_auth.apis.base import TokenResponse
from tap_tiktok_auth.credentials.models import ObtainedBy, Token, TokenLifetime, TokenState

__all__ = ["ObtainedBy", "Token", "TokenLifetime", "TokenResponse", "TokenState"]
