"""The Accounts API: tokens of TikTok account holders and of creators. It exists at v1.3 only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import world
from tap_tiktok_auth.simulator.endpoints.codes import redeem, redeem_refresh, remaining
from tap_tiktok_auth.simulator.errors import BusinessRefusal, wrong_grant_type
from tap_tiktok_auth.simulator.grants import ACCOUNT_HOLDER
from tap_tiktok_auth.simulator.incoming import (
    business_app,
    business_token,
    require,
    string_list,
)

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator.grants import Grant
    from tap_tiktok_auth.simulator.incoming import Incoming
    from tap_tiktok_auth.simulator.state import State


def token(state: State, call: Incoming) -> dict[str, Any]:
    """Exchange a code, which is posted as ``auth_code``.

    TikTok docs: obtain-a-short-term-access-token/v1.3.
    """
    require(call, "client_id", "client_secret", "grant_type", "auth_code", "redirect_uri")
    _grant_type(call, "authorization_code")
    app = business_app(state, call, "client_id", "client_secret")
    redirect_uri = call.text("redirect_uri")
    code = redeem(state, app, call.text("auth_code"), ACCOUNT_HOLDER, redirect_uri)
    return _tokens(state, call, code.grant)


def refresh_token(state: State, call: Incoming) -> dict[str, Any]:
    """Exchange a refresh token. The consent's deadline stays where it is.

    TikTok docs: renew-a-short-term-access-token/v1.3. The access token that came before stays
    valid for its own time; no source says otherwise.
    """
    require(call, "client_id", "client_secret", "grant_type", "refresh_token")
    _grant_type(call, "refresh_token")
    app = business_app(state, call, "client_id", "client_secret")
    grant = redeem_refresh(state, app, call.text("refresh_token"), ACCOUNT_HOLDER)
    data = _tokens(state, call, grant)
    if state.scenarios.take("no_refresh_token_in_refresh", call.path) is not None:
        del data["refresh_token"], data["refresh_token_expires_in"]
    return data


def revoke(state: State, call: Incoming) -> dict[str, Any]:
    """Withdraw the consent behind a token. TikTok docs: revoke-a-short-term-access-token/v1.3."""
    require(call, "client_id", "client_secret", "access_token")
    app = business_app(state, call, "client_id", "client_secret")
    grant = business_token(state, call.text("access_token"), ACCOUNT_HOLDER, app=app)
    grant.revoked = True
    return {}


def token_info(state: State, call: Incoming) -> dict[str, Any]:
    """Tell whose token it is. TikTok docs: Token scopes (1765927978092545)."""
    require(call, "app_id", "access_token")
    app = business_app(state, call, "app_id", None)
    grant = business_token(state, call.text("access_token"), ACCOUNT_HOLDER, app=app)
    return {"app_id": app.app_id, "creator_id": grant.subject, "scope": _scope(state, grant)}


def business_get(state: State, call: Incoming) -> dict[str, Any]:
    """Return profile data of the account. TikTok docs: 1762228399168514."""
    grant = business_token(state, call.access_token, ACCOUNT_HOLDER)
    require(call, "business_id")
    if call.text("business_id") != grant.subject:
        raise BusinessRefusal(40001)
    fields = string_list(call, "fields") or ["display_name", "profile_image"]
    unknown = [name for name in fields if name not in world.ACCOUNT_FIELDS]
    if unknown:
        raise BusinessRefusal(40002, f"fields: Not a valid choice: {', '.join(unknown)}.")
    return {name: _profile_field(grant, name) for name in fields}


def _profile_field(grant: Grant, name: str) -> object:
    scope, value = world.ACCOUNT_FIELDS[name]
    if scope not in grant.scopes:
        raise BusinessRefusal(40001, f"No permission for field {name}: scope {scope} is missing.")
    return world.user_name(grant.subject) if name in {"username", "display_name"} else value


def _grant_type(call: Incoming, expected: str) -> None:
    if call.text("grant_type") != expected:
        raise wrong_grant_type(call.text("grant_type"))


def _scope(state: State, grant: Grant) -> str:
    return ",".join(state.mint.shuffled(grant.scopes))


def _tokens(state: State, call: Incoming, grant: Grant) -> dict[str, Any]:
    now = state.clock.now()
    lifetime = state.access_lifetime(ACCOUNT_HOLDER, call.path)
    return {
        "access_token": state.ledger.issue_access(grant, now + lifetime),
        "token_type": "Bearer",
        "scope": _scope(state, grant),
        "expires_in": lifetime,
        "refresh_token": state.ledger.issue_refresh(grant),
        "refresh_token_expires_in": remaining(grant, now),
        "open_id": grant.subject,
    }
