"""Login Kit (TikTok for Developers): ``/v2/oauth/…`` in forms, ``/v2/user/info/`` as a bearer."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import fixtures
from tap_tiktok_auth.simulator.envelopes import ApiRequest, Refusal, same_text
from tap_tiktok_auth.simulator.redirects import HOUR, LOGIN_KIT

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator.model import App, Grant, Model

# TikTok docs: code_verifier of desktop apps.
_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_CLIENT_TOKEN_LIFETIME = 2 * HOUR


def token(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Serve the three grants of ``/v2/oauth/token/``.

    TikTok docs: Manage user access tokens; client access token management.
    """
    app = _app(model, request)
    _require(request, "grant_type")
    grant_type = request.text("grant_type")
    if grant_type == "authorization_code":
        return _tokens(model, request, _redeem(model, request, app))
    if grant_type == "refresh_token":
        data = _tokens(model, request, _redeem_refresh(model, request, app))
        if model.take("no_refresh_token_in_refresh", request.path) is not None:
            del data["refresh_token"], data["refresh_expires_in"]
        return data
    if grant_type == "client_credentials":
        value = model.issue_client_token(app, _CLIENT_TOKEN_LIFETIME)
        return {
            "access_token": value,
            "expires_in": _CLIENT_TOKEN_LIFETIME,
            "token_type": "Bearer",
        }
    raise Refusal("unsupported_grant_type", "Grant type is not supported.")


def revoke(model: Model, request: ApiRequest) -> None:
    """Withdraw the consent behind a token; the answer has no body.

    TikTok docs: Manage user access tokens, revoke access.
    """
    app = _app(model, request)
    _require(request, "token")
    found = model.find(request.text("token"), "access", "refresh")
    if found is None or found[0].app_id != app.app_id or found[0].state(model.now()) != "live":
        raise Refusal("invalid_grant", "Access token is invalid or expired.")
    found[1].revoked = True


def user_info(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Describe the account. TikTok docs: /v2/user/info/."""
    found = model.find(request.bearer, "access")
    if found is None or found[1].page is not LOGIN_KIT or found[0].state(model.now()) != "live":
        message = "The access token is invalid or not found in the request."
        raise Refusal("access_token_invalid", message, 401)
    fields = [name for name in str(request.fields.get("fields", "")).split(",") if name]
    if not fields or any(name not in fixtures.USER_FIELDS for name in fields):
        raise Refusal("invalid_params", "Fields is missing or not valid.", 400)
    return {"user": {name: _user_field(found[1], name) for name in fields}}


def _user_field(grant: Grant, name: str) -> object:
    scope, value = fixtures.USER_FIELDS[name]
    if scope not in grant.scopes:
        message = "The user did not authorize the scope required for completing this request."
        raise Refusal("scope_not_authorized", message, 401)
    own: dict[str, object] = {
        "open_id": grant.subject,
        "union_id": f"union{grant.subject}",
        "display_name": fixtures.user_name(grant.subject),
        "username": fixtures.user_name(grant.subject),
    }
    return own.get(name, value)


def _require(request: ApiRequest, *names: str) -> None:
    for name in names:
        if not request.fields.get(name):
            text = "Client secret is missed in request."
            if name != "client_secret":
                text = f"The request parameters are malformed: {name} is missing."
            raise Refusal("invalid_request", text)


def _app(model: Model, request: ApiRequest) -> App:
    _require(request, "client_key", "client_secret")
    app = model.app_by_id(request.text("client_key"), "login_kit")
    if app is None or not same_text(app.secret, request.text("client_secret")):
        raise Refusal("invalid_client", "Client key or secret is incorrect.")
    return app


def _redeem(model: Model, request: ApiRequest, app: App) -> Grant:
    _require(request, "code", "redirect_uri")
    found = model.find(request.text("code"), "code")
    if found is None or found[0].app_id != app.app_id:
        raise Refusal("invalid_grant", "Authorization code is invalid.")
    code, grant = found
    if code.state(model.now()) != "live":
        raise Refusal("invalid_grant", "Authorization code is expired.")
    if code.redirect_uri != request.text("redirect_uri"):
        text = "Redirect_uri is not matched with the uri when requesting code."
        raise Refusal("invalid_request", text)
    if not _proves(request.fields.get("code_verifier"), code.code_challenge):
        raise Refusal("invalid_request", "Code verifier or code challenge is invalid.")
    model.spend(code, grant)
    return grant


def _proves(verifier: str | None, challenge: str | None) -> bool:
    # TikTok docs (Desktop): the challenge is the hex digest, not base64url.
    if challenge is None or verifier is None:
        return challenge is verifier
    digest = hashlib.sha256(verifier.encode()).hexdigest()
    return _VERIFIER.fullmatch(verifier) is not None and same_text(digest, challenge)


def _redeem_refresh(model: Model, request: ApiRequest, app: App) -> Grant:
    _require(request, "refresh_token")
    found = model.find(request.text("refresh_token"), "refresh")
    if found is None or found[0].app_id != app.app_id or found[0].state(model.now()) != "live":
        raise Refusal("invalid_grant", "Refresh token is invalid or expired.")
    model.spend(*found)
    return found[1]


def _tokens(model: Model, request: ApiRequest, grant: Grant) -> dict[str, Any]:
    data = model.refreshable(grant, request.path)
    data["refresh_expires_in"] = data.pop("refresh_token_expires_in")
    scope = ",".join(model.ids.shuffled(grant.scopes))
    return {**data, "open_id": grant.subject, "scope": scope}
