"""Old names."""

from tap_tiktok_auth.credentials.manager import TokenManager as new_manager  # noqa: N813
from tap_tiktok_auth.credentials.manager import open_manager as session

__all__ = ["new_manager", "session"]
