"""Which endpoint is served where, how its fields travel, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator.endpoints import accounts, login_kit, marketing, marketplace
from tap_tiktok_auth.simulator.families import API_V2, BUSINESS, FLAT, OAUTH, Family

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.simulator.incoming import Incoming
    from tap_tiktok_auth.simulator.state import State

V1 = "/open_api/v1.3"
V2 = "/open_api/v2.0"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint.

    Attributes:
        method: The only HTTP method that it takes.
        path: Its path, with the trailing slash.
        action: Its name in the call list.
        handler: Does the work; returns the data of the answer.
        family: How answers and refusals are wrapped.
        fields: Where its fields are: ``json``, ``form`` or ``query``.
    """

    method: str
    path: str
    action: str
    handler: Callable[[State, Incoming], dict[str, Any] | None]
    family: Family = BUSINESS
    fields: str = "json"


def _get(
    path: str, action: str, handler: Callable[[State, Incoming], dict[str, Any] | None]
) -> Endpoint:
    return Endpoint("GET", path, action, handler, fields="query")


_MARKETING = tuple(
    endpoint
    for version in (V1, V2)
    for endpoint in (
        Endpoint("POST", f"{version}/oauth2/revoke_token/", "revoke", marketing.revoke_token),
        _get(f"{version}/oauth2/advertiser/get/", "advertisers", marketing.advertisers),
        _get(f"{version}/advertiser/info/", "advertiser_info", marketing.advertiser_info),
        _get(f"{version}/user/info/", "user_info", marketing.user_info),
    )
)

ENDPOINTS = (
    *_MARKETING,
    Endpoint("POST", f"{V1}/oauth2/access_token/", "exchange", marketing.access_token),
    Endpoint("POST", f"{V1}/oauth/token/", "exchange", marketing.oauth_token, FLAT, "form"),
    Endpoint("POST", f"{V1}/oauth2/refresh_token/", "refresh", marketing.refresh_token_deprecated),
    Endpoint("POST", f"{V2}/oauth2/access_token/", "exchange", marketing.access_token_v2),
    Endpoint("POST", f"{V2}/oauth2/refresh_token/", "refresh", marketing.refresh_token_v2),
    Endpoint("POST", f"{V1}/tt_user/oauth2/token/", "exchange", accounts.token),
    Endpoint("POST", f"{V1}/tt_user/oauth2/refresh_token/", "refresh", accounts.refresh_token),
    Endpoint("POST", f"{V1}/tt_user/oauth2/revoke/", "revoke", accounts.revoke),
    Endpoint("POST", f"{V1}/tt_user/token_info/get/", "token_info", accounts.token_info),
    _get(f"{V1}/business/get/", "account", accounts.business_get),
    _get(f"{V1}/tto/oauth2/tcm/", "tcm_accounts", marketplace.tcm_accounts),
    _get(f"{V1}/tto/oauth2/info/", "tcm_account_info", marketplace.tcm_account_info),
    _get(f"{V1}/tto/creator/authorized/", "creator", marketplace.creator_authorized),
    Endpoint("POST", "/v2/oauth/token/", "exchange", login_kit.token, OAUTH, "form"),
    Endpoint("POST", "/v2/oauth/revoke/", "revoke", login_kit.revoke, OAUTH, "form"),
    Endpoint("GET", "/v2/user/info/", "user_info", login_kit.user_info, API_V2, "query"),
)


def action_of(endpoint: Endpoint, fields: dict[str, Any]) -> str:
    """Return the name of what a request does: one path of Login Kit serves three grants."""
    grants = {"refresh_token": "refresh", "client_credentials": "client_token"}
    if endpoint.family is OAUTH and endpoint.action == "exchange":
        return grants.get(str(fields.get("grant_type")), endpoint.action)
    return endpoint.action
