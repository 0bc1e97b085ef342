"""Old names."""

from tap_tiktok_auth.credentials.manager import TokenManager

revoke = TokenManager.revoke
