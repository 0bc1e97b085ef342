"""Login Kit (TikTok for Developers): ``/v2/oauth/…`` in forms, ``/v2/user/info/`` as a bearer."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import world
from tap_tiktok_auth.simulator.errors import ApiV2Refusal, OAuthRefusal
from tap_tiktok_auth.simulator.grants import LOGIN_KIT
from tap_tiktok_auth.simulator.incoming import same

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator.apps import App
    from tap_tiktok_auth.simulator.grants import Code, Grant
    from tap_tiktok_auth.simulator.incoming import Incoming
    from tap_tiktok_auth.simulator.state import State

# TikTok docs: code_verifier of desktop apps.
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


def token(state: State, call: Incoming) -> dict[str, Any]:
    """Serve the three grants of ``/v2/oauth/token/``.

    TikTok docs: Manage user access tokens; client access token management.
    """
    app = _app(state, call)
    _require(call, "grant_type")
    grant_type = call.text("grant_type")
    if grant_type == "authorization_code":
        return _tokens(state, call, _redeem(state, call, app).grant)
    if grant_type == "refresh_token":
        data = _tokens(state, call, _redeem_refresh(state, call, app))
        if state.scenarios.take("no_refresh_token_in_refresh", call.path) is not None:
            del data["refresh_token"], data["refresh_expires_in"]
        return data
    if grant_type == "client_credentials":
        lifetime = state.lifetimes.client
        value = state.ledger.issue_client(app.app_id, state.clock.now() + lifetime)
        return {"access_token": value, "expires_in": lifetime, "token_type": "Bearer"}
    raise OAuthRefusal("unsupported_grant_type", "Grant type is not supported.")


def revoke(state: State, call: Incoming) -> None:
    """Withdraw the consent behind a token; the answer has no body.

    TikTok docs: Manage user access tokens, revoke access.
    """
    app = _app(state, call)
    _require(call, "token")
    held = state.ledger.token(call.text("token"))
    live = held is not None and held.state(state.clock.now()) == "live"
    if held is None or held.grant is None or held.app_id != app.app_id or not live:
        raise OAuthRefusal("invalid_grant", "Access token is invalid or expired.")
    held.grant.revoked = True


def user_info(state: State, call: Incoming) -> dict[str, Any]:
    """Describe the account. TikTok docs: /v2/user/info/."""
    value = call.bearer
    held = None if value is None else state.ledger.token(value)
    grant = None if held is None else held.grant
    if held is None or grant is None or held.kind != "access" or grant.api != "login_kit":
        raise _invalid_token()
    if held.state(state.clock.now()) != "live":
        raise _invalid_token()
    fields = [name for name in str(call.fields.get("fields", "")).split(",") if name]
    if not fields or any(name not in world.USER_FIELDS for name in fields):
        raise ApiV2Refusal("invalid_params", "Fields is missing or not valid.", 400)
    return {"user": {name: _user_field(grant, name) for name in fields}}


def _user_field(grant: Grant, name: str) -> object:
    scope, value = world.USER_FIELDS[name]
    if scope not in grant.scopes:
        message = "The user did not authorize the scope required for completing this request."
        raise ApiV2Refusal("scope_not_authorized", message, 401)
    own: dict[str, object] = {
        "open_id": grant.subject,
        "union_id": f"union{grant.subject}",
        "display_name": world.user_name(grant.subject),
        "username": world.user_name(grant.subject),
    }
    return own.get(name, value)


def _invalid_token() -> ApiV2Refusal:
    message = "The access token is invalid or not found in the request."
    return ApiV2Refusal("access_token_invalid", message, 401)


def _require(call: Incoming, *names: str) -> None:
    for name in names:
        if not call.fields.get(name):
            text = "Client secret is missed in request."
            if name != "client_secret":
                text = f"The request parameters are malformed: {name} is missing."
            raise OAuthRefusal("invalid_request", text)


def _app(state: State, call: Incoming) -> App:
    _require(call, "client_key", "client_secret")
    app = state.apps.by_id(call.text("client_key"))
    if app is None or app.platform != "login_kit":
        raise OAuthRefusal("invalid_client", "Client key or secret is incorrect.")
    if not same(app.secret, call.text("client_secret")):
        raise OAuthRefusal("invalid_client", "Client key or secret is incorrect.")
    return app


def _redeem(state: State, call: Incoming, app: App) -> Code:
    _require(call, "code", "redirect_uri")
    code = state.ledger.code(call.text("code"))
    if code is None or code.page != LOGIN_KIT or code.grant.app_id != app.app_id:
        raise OAuthRefusal("invalid_grant", "Authorization code is invalid.")
    if code.state(state.clock.now()) != "live":
        raise OAuthRefusal("invalid_grant", "Authorization code is expired.")
    if code.redirect_uri != call.text("redirect_uri"):
        text = "Redirect_uri is not matched with the uri when requesting code."
        raise OAuthRefusal("invalid_request", text)
    if not _proves(code, call.fields.get("code_verifier")):
        raise OAuthRefusal("invalid_request", "Code verifier or code challenge is invalid.")
    state.ledger.spend_code(code)
    code.grant.deadline = state.clock.now() + state.lifetimes.login_kit_refresh
    return code


def _proves(code: Code, verifier: object) -> bool:
    # TikTok docs (Desktop): the challenge is the hex digest, not base64url.
    if code.code_challenge is None:
        return verifier is None
    if not isinstance(verifier, str) or _VERIFIER.fullmatch(verifier) is None:
        return False
    return same(hashlib.sha256(verifier.encode()).hexdigest(), code.code_challenge)


def _redeem_refresh(state: State, call: Incoming, app: App) -> Grant:
    _require(call, "refresh_token")
    held = state.ledger.token(call.text("refresh_token"))
    grant = None if held is None else held.grant
    if held is None or grant is None or held.kind != "refresh" or held.app_id != app.app_id:
        raise OAuthRefusal("invalid_grant", "Refresh token is invalid or expired.")
    if held.state(state.clock.now()) != "live":
        raise OAuthRefusal("invalid_grant", "Refresh token is invalid or expired.")
    state.ledger.spend_refresh(held)
    # Unlike the Accounts API: each refresh starts the refresh token's life anew.
    grant.deadline = state.clock.now() + state.lifetimes.login_kit_refresh
    return grant


def _tokens(state: State, call: Incoming, grant: Grant) -> dict[str, Any]:
    now = state.clock.now()
    lifetime = state.access_lifetime(LOGIN_KIT, call.path)
    return {
        "access_token": state.ledger.issue_access(grant, now + lifetime),
        "expires_in": lifetime,
        "open_id": grant.subject,
        "refresh_expires_in": round(grant.deadline - now),
        "refresh_token": state.ledger.issue_refresh(grant),
        "scope": ",".join(state.mint.shuffled(grant.scopes)),
        "token_type": "Bearer",
    }
