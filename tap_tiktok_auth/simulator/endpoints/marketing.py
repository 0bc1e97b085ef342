"""The Marketing API: long-term tokens, and in v2.0 also tokens of a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import world
from tap_tiktok_auth.simulator.endpoints.codes import redeem, redeem_refresh, remaining
from tap_tiktok_auth.simulator.errors import BusinessRefusal, wrong_grant_type
from tap_tiktok_auth.simulator.grants import PORTAL
from tap_tiktok_auth.simulator.incoming import (
    business_app,
    business_token,
    flag,
    require,
    string_list,
)

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator.grants import Grant
    from tap_tiktok_auth.simulator.incoming import Incoming
    from tap_tiktok_auth.simulator.state import State

_MOST_IDS = 100


def access_token(state: State, call: Incoming) -> dict[str, Any]:
    """Exchange an ``auth_code`` for a long-term token.

    TikTok docs: obtain-a-long-term-access-token/v1.3. The answer has neither ``expires_in`` nor
    ``refresh_token``.
    """
    require(call, "app_id", "secret", "auth_code")
    with_ids = flag(call, "return_advertiser_ids", default=True)
    app = business_app(state, call, "app_id", "secret")
    grant = redeem(state, app, call.text("auth_code"), PORTAL).grant
    return _long_term(state, call, grant, with_ids=with_ids)


def access_token_v2(state: State, call: Incoming) -> dict[str, Any]:
    """Exchange an ``auth_code`` at v2.0.

    TikTok docs: obtain-an-advertiser-access-token/v2.0: ``is_long_term`` chooses between a token
    without a timer and one of 24 hours with a refresh token. Its default is documented nowhere;
    the simulator takes a missing one as true.
    """
    require(call, "app_id", "secret", "auth_code")
    with_ids = flag(call, "return_advertiser_ids", default=True)
    long_term = flag(call, "is_long_term", default=True)
    app = business_app(state, call, "app_id", "secret")
    grant = redeem(state, app, call.text("auth_code"), PORTAL).grant
    if long_term:
        return _long_term(state, call, grant, with_ids=with_ids)
    return _short_term(state, call, grant, with_ids=with_ids)


def refresh_token_v2(state: State, call: Incoming) -> dict[str, Any]:
    """Renew a v2.0 short-term token.

    This is an inference: TikTok announces the renewal, but path, fields and answer of it were
    found nowhere. They follow the other endpoints of the same family.
    """
    require(call, "app_id", "secret", "refresh_token")
    app = business_app(state, call, "app_id", "secret")
    grant = redeem_refresh(state, app, call.text("refresh_token"), PORTAL)
    return _short_term(state, call, grant, with_ids=True)


def refresh_token_deprecated(state: State, call: Incoming) -> dict[str, Any]:
    """Refuse: v1.3 has nothing to refresh.

    TikTok docs: v1.3 deprecations (1740579480076290); the route still answers, and 40107 is what
    the return codes say about refreshing a long-term token.
    """
    require(call, "app_id", "secret", "refresh_token")
    business_app(state, call, "app_id", "secret")
    if state.ledger.token(call.text("refresh_token")) is None:
        raise BusinessRefusal(40002, "Invalid refresh_token...")
    raise BusinessRefusal(40107)


def oauth_token(state: State, call: Incoming) -> dict[str, Any]:
    """Exchange a code at the form-style endpoint, whose answer is flat.

    TikTok docs: obtain-a-long-term-access-token/v1.3, second endpoint.
    """
    require(call, "client_id", "client_secret", "code", "grant_type")
    if call.text("grant_type") != "authorization_code":
        raise wrong_grant_type(call.text("grant_type"))
    app = business_app(state, call, "client_id", "client_secret")
    return _long_term(state, call, redeem(state, app, call.text("code"), PORTAL).grant)


def revoke_token(state: State, call: Incoming) -> dict[str, Any]:
    """Withdraw a token. TikTok docs: revoke-a-long-term-access-token/v1.3."""
    require(call, "app_id", "secret", "access_token")
    app = business_app(state, call, "app_id", "secret")
    grant = business_token(state, call.text("access_token"), PORTAL, app=app)
    lost = list(state.advertisers_of(grant, call.path))
    grant.revoked = True
    return {"app_id": app.app_id, "advertiser_ids": lost}


def advertisers(state: State, call: Incoming) -> dict[str, Any]:
    """List the advertisers of a token. TikTok docs: Authorized ad accounts (1738455508553729)."""
    if state.options.sandbox:
        raise BusinessRefusal(40008)
    value = call.access_token
    if not value:
        raise BusinessRefusal(40104)
    require(call, "app_id", "secret")
    app = business_app(state, call, "app_id", "secret")
    grant = business_token(state, value, PORTAL, app=app)
    return {
        "list": [
            {"advertiser_id": advertiser, "advertiser_name": world.advertiser_name(advertiser)}
            for advertiser in state.advertisers_of(grant, call.path)
        ]
    }


def advertiser_info(state: State, call: Incoming) -> dict[str, Any]:
    """Describe up to 100 advertisers. TikTok docs: Ad account details (1739593083610113).

    The limit of 100 is the practice of other clients, TikTok gives the error but no figure.
    """
    if state.options.sandbox:
        raise BusinessRefusal(40008)
    grant = business_token(state, call.access_token, PORTAL)
    require(call, "advertiser_ids")
    ids = string_list(call, "advertiser_ids") or []
    fields = string_list(call, "fields")
    if len(ids) > _MOST_IDS:
        raise BusinessRefusal(40011)
    allowed = frozenset(state.advertisers_of(grant, call.path))
    for advertiser in ids:
        if advertiser not in allowed:
            raise BusinessRefusal(40001, f"No permission to operate advertiser {advertiser}.")
    return {"list": [_details(advertiser, fields) for advertiser in ids]}


def user_info(state: State, call: Incoming) -> dict[str, Any]:
    """Tell who the token speaks for. Works in the sandbox too."""
    grant = business_token(state, call.access_token, PORTAL)
    return {
        "core_user_id": grant.subject,
        "display_name": world.user_name(grant.subject),
        "email": "s***@example.com",
        "avatar_url": "https://example.com/avatar.jpeg",
        "create_time": 1614175583,
    }


def _long_term(
    state: State, call: Incoming, grant: Grant, *, with_ids: bool = True
) -> dict[str, Any]:
    data: dict[str, Any] = {"access_token": state.ledger.issue_long_term(grant)}
    return data | _access(state, call, grant, with_ids=with_ids)


def _short_term(state: State, call: Incoming, grant: Grant, *, with_ids: bool) -> dict[str, Any]:
    now = state.clock.now()
    lifetime = state.access_lifetime(PORTAL, call.path)
    data: dict[str, Any] = {
        "access_token": state.ledger.issue_access(grant, now + lifetime),
        "token_type": "Bearer",
        "expires_in": lifetime,
        "refresh_token": state.ledger.issue_refresh(grant),
        "refresh_token_expires_in": remaining(grant, now),
    }
    return data | _access(state, call, grant, with_ids=with_ids)


def _access(state: State, call: Incoming, grant: Grant, *, with_ids: bool) -> dict[str, Any]:
    scope = [int(scope) for scope in state.mint.shuffled(grant.scopes)]
    if not with_ids:
        return {"scope": scope}
    return {"scope": scope, "advertiser_ids": list(state.advertisers_of(grant, call.path))}


def _details(advertiser: str, fields: list[str] | None) -> dict[str, Any]:
    details = world.advertiser_details(advertiser)
    if fields is None:
        return details
    if "company_name_editable" in fields:
        return {"advertiser_id": advertiser, "company_name_editable": False}
    unknown = [name for name in fields if name not in details]
    if unknown:
        raise BusinessRefusal(40002, f"fields: Not a valid choice: {', '.join(unknown)}.")
    return {"advertiser_id": advertiser} | {name: details[name] for name in fields}
