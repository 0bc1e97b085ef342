"""TikTok's token systems, one module each; none of them does any I/O.

A further token system is one module and one line in `APIS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis.platforms import BUSINESS, LOGIN_KIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.apis.platforms import Platform

__all__ = ["APIS", "TokenApis"]


class TokenApis(Mapping[str, "type[TokenApi]"]):
    """The token systems by their name in the settings.

    A class is imported when it is first asked for: a cached token needs none.

    Args:
        listed: For each name where its apps are registered, and `module:class`.
    """

    def __init__(self, listed: dict[str, tuple[Platform, str]]) -> None:
        self.listed = listed

    def __getitem__(self, name: str) -> type[TokenApi]:
        module, _, kind = self.listed[name][1].partition(":")
        found: type[TokenApi] = getattr(import_module(module), kind)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self.listed

    def __iter__(self) -> Iterator[str]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)

    def platform(self, name: str) -> Platform:
        """Return where the apps of a token system are registered."""
        return self.listed[name][0]


APIS = TokenApis(
    {
        "marketing": (BUSINESS, f"{__name__}.marketing:MarketingApi"),
        "accounts": (BUSINESS, f"{__name__}.accounts:AccountsApi"),
        "creator_marketplace": (BUSINESS, f"{__name__}.creator_marketplace:CreatorMarketplaceApi"),
        "creator": (BUSINESS, f"{__name__}.accounts:CreatorApi"),
        "login_kit": (LOGIN_KIT, f"{__name__}.login_kit:LoginKitApi"),
    }
)
