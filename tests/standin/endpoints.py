"""The endpoints of the stand-in: what each wants, and what it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.standin.world import DAY, Consent, Refusal, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN_PATHS = (
    "/oauth2/access_token/",
    "/oauth2/refresh_token/",
    "/tt_user/oauth2/token/",
    "/v2/oauth/token/",
)


@dataclass(frozen=True)
class Incoming:
    """A request as it arrived.

    Attributes:
        headers: By lower-case name.
        body: JSON or form body; None if there was none that could be read.
        port: The client's.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None = None
    port: int = 0

    @property
    def is_token_request(self) -> bool:
        """Whether it asks for a token with a credential that works once."""
        return self.method == "POST" and self.path.endswith(TOKEN_PATHS)


@dataclass(frozen=True)
class Ask:
    """A request whose fields are there and whose app is known."""

    world: World
    incoming: Incoming
    fields: Mapping[str, Any]
    app_id: str

    def who(self) -> Consent:
        """Return the consent behind the access token, wherever the endpoint takes it."""
        headers = self.incoming.headers
        if self.incoming.method == "POST":
            return self.world.who(self.fields.get("access_token") or self.fields.get("token"))
        if not self.incoming.path.startswith("/v2/"):
            return self.world.who(headers.get("access-token"))
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return self.world.who(token if scheme == "Bearer" else None)

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return a field that is a boolean."""
        value = self.fields.get(name, default)
        if not isinstance(value, bool):
            raise Refusal(40002, f"{name}: Not a valid boolean.")
        return value


def _advertisers_token(ask: Ask) -> dict[str, Any]:
    timed, with_ids = True, True
    if "auth_code" in ask.fields:
        timed = ask.incoming.path.startswith("/open_api/v2.0/") and not ask.flag("is_long_term")
        with_ids = ask.flag("return_advertiser_ids", default=True)
        consent = ask.world.take_code(ask.fields["auth_code"], ask.app_id, timed=False)
    else:
        consent = ask.world.take_refresh(ask.fields["refresh_token"], ask.app_id)
    access, refresh = ask.world.hand_out(consent, refreshable=timed)
    answer: dict[str, Any] = {"access_token": access, "scope": consent.scopes}
    if with_ids:
        answer["advertiser_ids"] = list(consent.advertisers)
    if timed:
        left = int(consent.ends_at - ask.world.now())
        answer |= {"refresh_token": refresh, "refresh_token_expires_in": left, "expires_in": DAY}
    return answer


def _timed_token(ask: Ask) -> dict[str, Any]:
    world, fields, kit = ask.world, ask.fields, ask.incoming.path.startswith("/v2/")
    refreshes = ask.incoming.path.endswith("/refresh_token/")
    if not kit and fields["grant_type"] != ("refresh_token" if refreshes else "authorization_code"):
        raise Refusal(40108, "Invalid value for grant_type")
    if fields["grant_type"] == "client_credentials":
        return _app_token(ask)
    if fields["grant_type"] == "refresh_token":
        consent = world.take_refresh(fields.get("refresh_token"), ask.app_id)
    else:
        name = "code" if kit else "auth_code"
        _need(fields, f"{name} redirect_uri")
        code = world.codes.get(fields[name])
        if code and code.verifier and code.verifier != fields.get("code_verifier"):
            raise Refusal("invalid_request", "Code verifier or code challenge is invalid.")
        consent = world.take_code(fields[name], ask.app_id, timed=True)
    access, refresh = world.hand_out(consent, refreshable=True)
    lifetime = "refresh_expires_in" if kit else "refresh_token_expires_in"
    return {
        "access_token": access,
        "expires_in": DAY,
        "open_id": consent.subject,
        "refresh_token": refresh,
        lifetime: int(consent.ends_at - world.now()),
        "scope": consent.scopes,
        "token_type": "Bearer",
    }


def _app_token(ask: Ask) -> dict[str, Any]:
    ask.world.app_tokens += 1
    ends_at = ask.world.now() + 7200
    nobody = Consent(
        ask.app_id, timed=True, subject=None, scopes="", advertisers={}, ends_at=ends_at
    )
    token, _ = ask.world.hand_out(nobody, refreshable=True)
    ask.world.access[token].expires_at = ends_at
    return {"access_token": token, "expires_in": 7200, "token_type": "Bearer"}


def _revoke(ask: Ask) -> dict[str, Any]:
    ask.who().revoked = True
    if "/oauth2/revoke_token/" in ask.incoming.path:
        return {"app_id": ask.app_id, "advertiser_ids": []}
    return {}


def _advertisers(ask: Ask) -> dict[str, Any]:
    granted = ask.who().advertisers.items()
    return {"list": [{"advertiser_id": i, "advertiser_name": name} for i, name in granted]}


def _advertiser_info(ask: Ask) -> dict[str, Any]:
    granted = ask.who().advertisers
    more = {"email": "x@example.com", "create_time": 1.6e9}
    wanted = [i for i in json.loads(ask.fields["advertiser_ids"]) if i in granted]
    return {"list": [{"advertiser_id": i, "name": granted[i], **more} for i in wanted]}


def _brand(ask: Ask) -> dict[str, Any]:
    ask.who()
    account = ask.fields["tto_tcm_account_id"]
    return {"tto_tcm_account_id": account, "account_name": "Brand", "country": "DE"}


def _token_info(ask: Ask) -> dict[str, Any]:
    consent = ask.who()
    scopes = ",".join(reversed(str(consent.scopes).split(",")))  # in no particular order
    return {"app_id": ask.fields["app_id"], "creator_id": consent.subject, "scope": scopes}


def _account(ask: Ask) -> dict[str, Any]:
    if ask.fields["business_id"] != ask.who().subject:
        raise Refusal(40002, "business_id is invalid")
    names = {"username": "user1", "display_name": "User One"}
    return {name: names[name] for name in json.loads(ask.fields["fields"])}


def _kit_user(ask: Ask) -> dict[str, Any]:
    user = {"open_id": ask.who().subject, "union_id": "union-1", "display_name": "User One"}
    fields = ask.fields.get("fields", "").split(",")
    return {"user": {name: value for name, value in user.items() if name in fields}}


_V1, _V2 = "/open_api/v1.3", "/open_api/v2.0"
_APP, _CLIENT, _KIT = "app_id secret", "client_id client_secret", "client_key client_secret"
_USER = {"core_user_id": "7788", "display_name": "me", "email": "m***@example.com"}
_BRANDS = {"tto_tcm_account_ids": ["7300000000000000001"]}
#: The fields that must be there, and what is answered: always the same to who has a token, or not.
ENDPOINTS: dict[tuple[str, str], tuple[str, dict[str, Any] | Callable[[Ask], dict[str, Any]]]] = {
    ("POST", f"{_V1}/oauth2/access_token/"): (f"{_APP} auth_code", _advertisers_token),
    ("POST", f"{_V2}/oauth2/access_token/"): (f"{_APP} auth_code", _advertisers_token),
    ("POST", f"{_V2}/oauth2/refresh_token/"): (f"{_APP} refresh_token", _advertisers_token),
    ("POST", f"{_V1}/oauth2/revoke_token/"): (f"{_APP} access_token", _revoke),
    ("POST", f"{_V2}/oauth2/revoke_token/"): (f"{_APP} access_token", _revoke),
    ("GET", f"{_V1}/oauth2/advertiser/get/"): (_APP, _advertisers),
    ("GET", f"{_V1}/user/info/"): ("", _USER),
    ("GET", f"{_V1}/advertiser/info/"): ("advertiser_ids", _advertiser_info),
    ("POST", f"{_V1}/tt_user/oauth2/token/"): (f"{_CLIENT} grant_type auth_code", _timed_token),
    ("POST", f"{_V1}/tt_user/oauth2/refresh_token/"): (f"{_CLIENT} grant_type", _timed_token),
    ("POST", f"{_V1}/tt_user/oauth2/revoke/"): (f"{_CLIENT} access_token", _revoke),
    ("POST", f"{_V1}/tt_user/token_info/get/"): ("app_id access_token", _token_info),
    ("GET", f"{_V1}/business/get/"): ("business_id fields", _account),
    ("GET", f"{_V1}/tto/oauth2/tcm/"): (_APP, _BRANDS),
    ("GET", f"{_V1}/tto/oauth2/info/"): ("tto_tcm_account_id", _brand),
    ("POST", "/v2/oauth/token/"): (f"{_KIT} grant_type", _timed_token),
    ("POST", "/v2/oauth/revoke/"): (f"{_KIT} token", _revoke),
    ("GET", "/v2/user/info/"): ("", _kit_user),
}


def answer(world: World, incoming: Incoming) -> dict[str, Any]:
    """Answer a request to a known address, without the envelope."""
    needs, answered = ENDPOINTS[incoming.method, incoming.path]
    fields = incoming.body if incoming.method == "POST" else incoming.query
    if fields is None:
        raise Refusal(40002, "The body is no JSON object or no form.")
    _need(fields, needs)
    app_id = ""
    if "secret" in needs:
        app_id, secret = (fields[name] for name in needs.split()[:2])
        world.check_app(app_id, secret)
    ask = Ask(world, incoming, fields, app_id)
    if callable(answered):
        return answered(ask)
    ask.who()
    return answered


def _need(fields: Mapping[str, Any], names: str) -> None:
    """Check that all *names* are there, each a text that is not empty."""
    missing = [n for n in names.split() if not isinstance(fields.get(n), str) or not fields[n]]
    if missing:
        raise Refusal(40002, f"Missing required field(s): {', '.join(missing)}.")
