"""TikTok One Creator Marketplace: brand accounts, and the creator who has authorised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import world
from tap_tiktok_auth.simulator.errors import BusinessRefusal
from tap_tiktok_auth.simulator.grants import ACCOUNT_HOLDER, PORTAL
from tap_tiktok_auth.simulator.incoming import business_app, business_token, require

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator.incoming import Incoming
    from tap_tiktok_auth.simulator.state import State


def tcm_accounts(state: State, call: Incoming) -> dict[str, Any]:
    """List the brand accounts of a token. TikTok docs: TTO Creator Marketplace authorization."""
    value = call.access_token
    if not value:
        raise BusinessRefusal(40104)
    require(call, "app_id", "secret")
    app = business_app(state, call, "app_id", "secret")
    grant = business_token(state, value, PORTAL, app=app)
    if not grant.tcm_account_ids:
        raise BusinessRefusal(40001)
    return {"tto_tcm_account_ids": list(grant.tcm_account_ids)}


def tcm_account_info(state: State, call: Incoming) -> dict[str, Any]:
    """Describe a brand account of the token."""
    grant = business_token(state, call.access_token, PORTAL)
    require(call, "tto_tcm_account_id")
    account = call.text("tto_tcm_account_id")
    if account not in grant.tcm_account_ids:
        raise BusinessRefusal(40001)
    return world.tcm_account(account)


def creator_authorized(state: State, call: Incoming) -> dict[str, Any]:
    """Describe the creator behind a token, in the few fields that identify them."""
    grant = business_token(state, call.access_token, ACCOUNT_HOLDER)
    require(call, "creator_id")
    if call.text("creator_id") != grant.subject or "biz.creator.info" not in grant.scopes:
        raise BusinessRefusal(40001)
    return {
        "creator_id": grant.subject,
        "handle_name": world.user_name(grant.subject),
        "display_name": world.user_name(grant.subject),
    }
