"""The API for Business: Marketing, Accounts and Creator Marketplace."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import fixtures
from tap_tiktok_auth.simulator.envelopes import MESSAGES, ApiRequest, Refusal, same_text
from tap_tiktok_auth.simulator.redirects import ACCOUNT_HOLDER, LOGIN_KIT, PORTAL, ConsentPage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_tiktok_auth.simulator.model import App, Grant, Model

V1 = "/open_api/v1.3"
V2 = "/open_api/v2.0"

_MOST_IDS = 100


# Marketing, and the brand side of the Creator Marketplace: consents of the portal


def access_token(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Exchange an ``auth_code``.

    TikTok docs: obtain-a-long-term-access-token/v1.3, whose answer has neither ``expires_in`` nor
    ``refresh_token``; obtain-an-advertiser-access-token/v2.0, where ``is_long_term`` chooses
    between that and a token of 24 hours with a refresh token. Its default is documented nowhere;
    the simulator takes a missing one as true.
    """
    app = _app(model, request, "app_id", "secret", "auth_code")
    with_ids = _flag(request, "return_advertiser_ids", default=True)
    timed = request.path.startswith(V2) and not _flag(request, "is_long_term", default=True)
    grant = _redeem(model, app, request.text("auth_code"), PORTAL)
    return _portal_tokens(model, request, grant, timed=timed, with_ids=with_ids)


def oauth_token(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Exchange a code at the form-style endpoint, whose answer is flat.

    TikTok docs: obtain-a-long-term-access-token/v1.3, second endpoint.
    """
    names = ("client_id", "client_secret", "code", "grant_type")
    app = _app(model, request, *names, grant_type="authorization_code")
    return _portal_tokens(model, request, _redeem(model, app, request.text("code"), PORTAL))


def refresh_token_v2(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Renew a v2.0 short-term token.

    This is an inference: TikTok announces the renewal, but path, fields and answer of it were
    found nowhere. They follow the other endpoints of the same family.
    """
    app = _app(model, request, "app_id", "secret", "refresh_token")
    grant = _redeem_refresh(model, app, request.text("refresh_token"), PORTAL)
    return _portal_tokens(model, request, grant, timed=True)


def refresh_token_deprecated(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Refuse: v1.3 has nothing to refresh.

    TikTok docs: v1.3 deprecations (1740579480076290); the route still answers, and 40107 is what
    the return codes say about refreshing a long-term token.
    """
    _app(model, request, "app_id", "secret", "refresh_token")
    if model.find(request.text("refresh_token"), "access", "refresh") is not None:
        raise Refusal(40107)
    raise Refusal(40002, "Invalid refresh_token...")


def revoke_token(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Withdraw a token. TikTok docs: revoke-a-long-term-access-token/v1.3."""
    app = _app(model, request, "app_id", "secret", "access_token")
    grant = _grant(model, request.text("access_token"), PORTAL, app)
    lost = list(model.advertisers_of(grant, request.path))
    grant.revoked = True
    return {"app_id": app.app_id, "advertiser_ids": lost}


def advertisers(model: Model, request: ApiRequest) -> dict[str, Any]:
    """List the advertisers of a token. TikTok docs: Authorized ad accounts (1738455508553729)."""
    _check_no_sandbox(model)
    grant = _listing_grant(model, request)
    return {
        "list": [
            {"advertiser_id": advertiser, "advertiser_name": fixtures.advertiser_name(advertiser)}
            for advertiser in model.advertisers_of(grant, request.path)
        ]
    }


def advertiser_info(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Describe up to 100 advertisers. TikTok docs: Ad account details (1739593083610113).

    The limit of 100 is the practice of other clients, TikTok gives the error but no figure.
    """
    _check_no_sandbox(model)
    grant = _grant(model, request.access_token, PORTAL)
    _require(request, "advertiser_ids")
    ids = _strings(request, "advertiser_ids") or []
    fields = _strings(request, "fields")
    if len(ids) > _MOST_IDS:
        raise Refusal(40011)
    allowed = frozenset(model.advertisers_of(grant, request.path))
    for advertiser in ids:
        if advertiser not in allowed:
            raise Refusal(40001, f"No permission to operate advertiser {advertiser}.")
    return {"list": [_details(advertiser, fields) for advertiser in ids]}


def user_info(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Tell who the token speaks for. Works in the sandbox too."""
    return fixtures.core_user(_grant(model, request.access_token, PORTAL).subject)


def brand_accounts(model: Model, request: ApiRequest) -> dict[str, Any]:
    """List the brand accounts of a token. TikTok docs: TTO Creator Marketplace authorization."""
    grant = _listing_grant(model, request)
    if not grant.brand_ids:
        raise Refusal(40001)
    return {"tto_tcm_account_ids": list(grant.brand_ids)}


def brand_account_info(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Describe a brand account of the token."""
    grant = _grant(model, request.access_token, PORTAL)
    _require(request, "tto_tcm_account_id")
    account = request.text("tto_tcm_account_id")
    if account not in grant.brand_ids:
        raise Refusal(40001)
    return fixtures.brand_account(account)


# Account holders and creators: consents of the account holder page, at v1.3 only


def account_token(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Exchange a code, which is posted as ``auth_code``.

    TikTok docs: obtain-a-short-term-access-token/v1.3.
    """
    names = ("client_id", "client_secret", "grant_type", "auth_code", "redirect_uri")
    app = _app(model, request, *names, grant_type="authorization_code")
    redirect_uri = request.text("redirect_uri")
    grant = _redeem(model, app, request.text("auth_code"), ACCOUNT_HOLDER, redirect_uri)
    return _account_tokens(model, request, grant)


def account_refresh(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Exchange a refresh token. The consent's deadline stays where it is.

    TikTok docs: renew-a-short-term-access-token/v1.3. The access token that came before stays
    valid for its own time; no source says otherwise.
    """
    names = ("client_id", "client_secret", "grant_type", "refresh_token")
    app = _app(model, request, *names, grant_type="refresh_token")
    grant = _redeem_refresh(model, app, request.text("refresh_token"), ACCOUNT_HOLDER)
    data = _account_tokens(model, request, grant)
    if model.take("no_refresh_token_in_refresh", request.path) is not None:
        del data["refresh_token"], data["refresh_token_expires_in"]
    return data


def account_revoke(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Withdraw the consent behind a token. TikTok docs: revoke-a-short-term-access-token/v1.3."""
    app = _app(model, request, "client_id", "client_secret", "access_token")
    _grant(model, request.text("access_token"), ACCOUNT_HOLDER, app).revoked = True
    return {}


def token_info(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Tell whose token it is. TikTok docs: Token scopes (1765927978092545)."""
    _require(request, "app_id", "access_token")
    app = _named_app(model, request, "app_id")
    grant = _grant(model, request.text("access_token"), ACCOUNT_HOLDER, app)
    scope = ",".join(model.ids.shuffled(grant.scopes))
    return {"app_id": app.app_id, "creator_id": grant.subject, "scope": scope}


def business_get(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Return profile data of the account. TikTok docs: 1762228399168514."""
    grant = _grant(model, request.access_token, ACCOUNT_HOLDER)
    _require(request, "business_id")
    if request.text("business_id") != grant.subject:
        raise Refusal(40001)
    fields = _strings(request, "fields") or ["display_name", "profile_image"]
    _check_choices(fields, fixtures.ACCOUNT_FIELDS)
    return {name: _profile_field(grant, name) for name in fields}


def creator_authorized(model: Model, request: ApiRequest) -> dict[str, Any]:
    """Describe the creator behind a token, in the few fields that identify them."""
    grant = _grant(model, request.access_token, ACCOUNT_HOLDER)
    _require(request, "creator_id")
    if request.text("creator_id") != grant.subject or "biz.creator.info" not in grant.scopes:
        raise Refusal(40001)
    name = fixtures.user_name(grant.subject)
    return {"creator_id": grant.subject, "handle_name": name, "display_name": name}


# Answers


def _portal_tokens(
    model: Model, request: ApiRequest, grant: Grant, *, timed: bool = False, with_ids: bool = True
) -> dict[str, Any]:
    if timed:
        data = model.refreshable(grant, request.path)
    else:
        data = {"access_token": model.issue_token("access", grant, None)}
    data["scope"] = [int(scope) for scope in model.ids.shuffled(grant.scopes)]
    if with_ids:
        data["advertiser_ids"] = list(model.advertisers_of(grant, request.path))
    return data


def _account_tokens(model: Model, request: ApiRequest, grant: Grant) -> dict[str, Any]:
    scope = ",".join(model.ids.shuffled(grant.scopes))
    return {**model.refreshable(grant, request.path), "scope": scope, "open_id": grant.subject}


def _details(advertiser: str, fields: list[str] | None) -> dict[str, Any]:
    details = fixtures.advertiser_details(advertiser)
    if fields is None:
        return details
    if "company_name_editable" in fields:
        return {"advertiser_id": advertiser, "company_name_editable": False}
    _check_choices(fields, details)
    return {"advertiser_id": advertiser} | {name: details[name] for name in fields}


def _profile_field(grant: Grant, name: str) -> object:
    scope, value = fixtures.ACCOUNT_FIELDS[name]
    if scope not in grant.scopes:
        raise Refusal(40001, f"No permission for field {name}: scope {scope} is missing.")
    return fixtures.user_name(grant.subject) if name in {"username", "display_name"} else value


# Checks, each with the refusal of what fails it


def _require(request: ApiRequest, *names: str) -> None:
    """Check that fields are there, not empty, and strings, or refuse with 40002."""
    absent = [name for name in names if request.fields.get(name) in (None, "")]
    if absent:
        raise Refusal(40002, MESSAGES[40002].format(fields=", ".join(absent)))
    for name in names:
        if not isinstance(request.fields[name], str):
            raise Refusal(40002, f"{name}: Not a valid string.")


def _flag(request: ApiRequest, name: str, *, default: bool) -> bool:
    value = request.fields.get(name, default)
    if not isinstance(value, bool):
        raise Refusal(40002, f"{name}: Not a valid boolean.")
    return value


def _strings(request: ApiRequest, name: str) -> list[str] | None:
    """Return a query field that holds a JSON list of strings, or ``None`` if it is absent."""
    if request.fields.get(name) in (None, ""):
        return None
    try:
        values = json.loads(request.fields[name])
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise Refusal(40002, f"{name}: Not a valid list of strings.")
    return values


def _check_choices(fields: list[str], known: Mapping[str, object]) -> None:
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise Refusal(40002, f"fields: Not a valid choice: {', '.join(unknown)}.")


def _check_no_sandbox(model: Model) -> None:
    if model.sandbox:
        raise Refusal(40008)


def _app(model: Model, request: ApiRequest, *names: str, grant_type: str | None = None) -> App:
    """Return the app that a request names, once fields, grant type and secret are checked.

    *names* are the fields that the request must have, those of app id and secret first.
    """
    _require(request, *names)
    if grant_type is not None and request.text("grant_type") != grant_type:
        raise Refusal(40108, MESSAGES[40108].format(grant_type=request.text("grant_type")))
    app = _named_app(model, request, names[0])
    if not same_text(app.secret, request.text(names[1])):
        raise Refusal(40101)
    return app


def _named_app(model: Model, request: ApiRequest, id_field: str) -> App:
    app = model.app_by_id(request.text(id_field), "business")
    if app is None:
        raise Refusal(40113)
    return app


def _grant(model: Model, value: str | None, page: ConsentPage, app: App | None = None) -> Grant:
    """Return the grant of that page behind a live access token, and of that app if one is named."""
    if not value:
        raise Refusal(40104)
    found = model.find(value, "access")
    if found is None or found[1].page is LOGIN_KIT:
        raise Refusal(40105)
    token, grant = found
    state = token.state(model.now())
    if state != "live":
        raise Refusal(40102 if state == "expired" else 40105)
    if grant.page is not page:
        raise Refusal(40001)
    if app is not None and grant.app_id != app.app_id:
        raise Refusal(40113)
    return grant


def _listing_grant(model: Model, request: ApiRequest) -> Grant:
    """Return the grant behind the token in the header, of the app in the query."""
    if not request.access_token:
        raise Refusal(40104)
    app = _app(model, request, "app_id", "secret")
    return _grant(model, request.access_token, PORTAL, app)


def _redeem(
    model: Model, app: App, value: str, page: ConsentPage, redirect_uri: str | None = None
) -> Grant:
    """Spend a code of that page, and return the grant behind it."""
    found = model.find(value, "code")
    if found is None:
        raise Refusal(40110)
    code, grant = found
    if grant.page is not page:
        raise Refusal(40115 if page is PORTAL else 40131)
    if grant.app_id != app.app_id:
        raise Refusal(40113)
    if code.state(model.now()) != "live":
        raise Refusal(40110)
    if redirect_uri is not None and redirect_uri != code.redirect_uri:
        raise Refusal(40002, "redirect_uri: Not the one that was used to request the code.")
    model.spend(code, grant)
    return grant


def _redeem_refresh(model: Model, app: App, value: str, page: ConsentPage) -> Grant:
    """Spend a refresh token, and return the grant behind it.

    That a withdrawn consent is 40105 is an inference: TikTok documents it for access tokens only.
    """
    found = model.find(value, "refresh")
    if found is None or found[1].page is not page:
        raise Refusal(40107)
    token, grant = found
    if grant.app_id != app.app_id:
        raise Refusal(40113)
    state = token.state(model.now())
    if state != "live":
        raise Refusal({"revoked": 40105, "expired": 40103}.get(state, 40107))
    model.spend(token, grant)
    return grant
