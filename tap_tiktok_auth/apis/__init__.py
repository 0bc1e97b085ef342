"""TikTok's token systems, one module each; none of them does any I/O.

A new token system is one module here and one line in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.apis.accounts import AccountsApi, CreatorApi
from tap_tiktok_auth.apis.creator_marketplace import CreatorMarketplaceApi
from tap_tiktok_auth.apis.login_kit import LoginKitApi
from tap_tiktok_auth.apis.marketing import MarketingApi

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.config.models import Config

__all__ = ["APIS", "api_for"]

#: The token systems by their name in the settings.
APIS: dict[str, type[TokenApi]] = {
    api.name: api
    for api in (MarketingApi, AccountsApi, CreatorMarketplaceApi, CreatorApi, LoginKitApi)
}


def api_for(name: str, config: Config) -> TokenApi:
    """Return the token system *name*, set up as *config* says.

    Args:
        name: One of `settings.API_NAMES`.
        config: Hosts, version and kind of token.
    """
    return APIS[name](
        config.hosts, api_version=config.api_version, long_term_token=config.long_term_token
    )
