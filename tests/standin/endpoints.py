"""The endpoints of the stand-in: what each wants, and what it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.standin.world import YEAR, Consent, Refusal, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Incoming:
    """A request as it arrived.

    Attributes:
        method: HTTP method.
        path: Path without query.
        query: The query.
        headers: Headers, by lower-case name.
        body: JSON or form body; None if there was none that could be read.
        raw: The body as it came.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None = None
    raw: bytes = b""
    port: int = 0

    @property
    def is_token_request(self) -> bool:
        """Whether it asks for a token with a credential that works once."""
        return self.method == "POST" and self.path.endswith(TOKEN_PATHS)


TOKEN_PATHS = (
    "/oauth2/access_token/",
    "/oauth2/refresh_token/",
    "/tt_user/oauth2/token/",
    "/v2/oauth/token/",
)


@dataclass
class Endpoints:
    """TikTok's endpoints over one world."""

    world: World

    def business(self, incoming: Incoming) -> dict[str, Any]:
        """Answer a call of the Business API, without the envelope."""
        if incoming.method == "POST" and incoming.body is None:
            raise Refusal(40002, "The body is no JSON object.")
        return self._table()[incoming.method, incoming.path](incoming)

    def knows(self, incoming: Incoming) -> bool:
        """Whether there is such an address, trailing slash included."""
        return (incoming.method, incoming.path) in self._table()

    def _table(self) -> dict[tuple[str, str], Callable[[Incoming], dict[str, Any]]]:
        business, v2 = "/open_api/v1.3", "/open_api/v2.0"
        return {
            ("POST", f"{business}/oauth2/access_token/"): self.access_token,
            ("POST", f"{v2}/oauth2/access_token/"): self.access_token,
            ("POST", f"{v2}/oauth2/refresh_token/"): self.refresh_token,
            ("POST", f"{business}/oauth2/revoke_token/"): self.revoke,
            ("POST", f"{v2}/oauth2/revoke_token/"): self.revoke,
            ("GET", f"{business}/oauth2/advertiser/get/"): self.advertisers,
            ("GET", f"{business}/user/info/"): self.core_user,
            ("GET", f"{business}/advertiser/info/"): self.advertiser_info,
            ("POST", f"{business}/tt_user/oauth2/token/"): self.account_token,
            ("POST", f"{business}/tt_user/oauth2/refresh_token/"): self.account_refresh,
            ("POST", f"{business}/tt_user/oauth2/revoke/"): self.account_revoke,
            ("POST", f"{business}/tt_user/token_info/get/"): self.token_info,
            ("GET", f"{business}/business/get/"): self.business_get,
            ("GET", f"{business}/tto/oauth2/tcm/"): self.tcm,
            ("GET", f"{business}/tto/oauth2/info/"): self.tcm_info,
        }

    # Marketing and Creator Marketplace, brand side

    def access_token(self, incoming: Incoming) -> dict[str, Any]:
        """Exchange the code of an advertiser."""
        body = need(incoming, "app_id", "secret", "auth_code")
        app_id = self.world.check_app(body["app_id"], body["secret"])
        version2 = incoming.path.startswith("/open_api/v2.0/")
        if version2 and not isinstance(body.get("is_long_term"), bool):
            raise Refusal(40002, "Missing required field(s): is_long_term.")
        with_ids = body.get("return_advertiser_ids", True)
        if not isinstance(with_ids, bool):
            raise Refusal(40002, "return_advertiser_ids: Not a valid boolean.")
        consent = self.world.take_code(body["auth_code"], app_id, timed=False)
        answer = self.long_term(consent, timed=version2 and not body["is_long_term"])
        if not with_ids:
            del answer["advertiser_ids"]
        return answer

    def refresh_token(self, incoming: Incoming) -> dict[str, Any]:
        """Refresh a short-term token of v2.0."""
        body = need(incoming, "app_id", "secret", "refresh_token")
        app_id = self.world.check_app(body["app_id"], body["secret"])
        return self.long_term(self.world.take_refresh(body["refresh_token"], app_id), timed=True)

    def long_term(self, consent: Consent, *, timed: bool) -> dict[str, Any]:
        """Return the answer to an exchange of an advertiser's code."""
        access, refresh = self.world.hand_out(consent, refreshable=timed)
        answer: dict[str, Any] = {
            "access_token": access,
            "advertiser_ids": list(consent.advertisers),
            "scope": consent.scopes,
        }
        if timed:
            answer |= {
                "expires_in": self.world.access_life,
                "refresh_token": refresh,
                "refresh_token_expires_in": int(consent.ends_at - self.world.now()),
            }
        return answer

    def revoke(self, incoming: Incoming) -> dict[str, Any]:
        """Revoke an advertiser's token."""
        body = need(incoming, "app_id", "secret", "access_token")
        app_id = self.world.check_app(body["app_id"], body["secret"])
        self.world.who(body["access_token"]).revoked = True
        return {"app_id": app_id, "advertiser_ids": []}

    def advertisers(self, incoming: Incoming) -> dict[str, Any]:
        """List the ad accounts of a token."""
        self.world.check_app(incoming.query.get("app_id"), incoming.query.get("secret"))
        granted = self.world.who(incoming.headers.get("access-token")).advertisers
        rows = [{"advertiser_id": i, "advertiser_name": name} for i, name in granted.items()]
        return {"list": rows}

    def core_user(self, incoming: Incoming) -> dict[str, Any]:
        """Tell who authorised."""
        self.world.who(incoming.headers.get("access-token"))
        return {"core_user_id": "7788", "display_name": "me", "email": "m***@example.com"}

    def advertiser_info(self, incoming: Incoming) -> dict[str, Any]:
        """Tell about ad accounts."""
        granted = self.world.who(incoming.headers.get("access-token")).advertisers
        wanted = json.loads(incoming.query.get("advertiser_ids", "[]"))
        rows = [
            {"advertiser_id": i, "name": granted[i], "email": "x@example.com", "create_time": 1.6e9}
            for i in wanted
            if i in granted
        ]
        return {"list": rows}

    def tcm(self, incoming: Incoming) -> dict[str, Any]:
        """List the Creator Marketplace accounts of a token."""
        self.world.check_app(incoming.query.get("app_id"), incoming.query.get("secret"))
        self.world.who(incoming.headers.get("access-token"))
        return {"tto_tcm_account_ids": ["7300000000000000001"]}

    def tcm_info(self, incoming: Incoming) -> dict[str, Any]:
        """Tell about a Creator Marketplace account."""
        self.world.who(incoming.headers.get("access-token"))
        account = incoming.query.get("tto_tcm_account_id", "")
        return {"tto_tcm_account_id": account, "account_name": "Brand", "country": "DE"}

    # TikTok account holders and creators

    def account_token(self, incoming: Incoming) -> dict[str, Any]:
        """Exchange the code of an account holder."""
        body = need(incoming, "client_id", "client_secret", "grant_type", "auth_code")
        app_id = self.world.check_app(body["client_id"], body["client_secret"])
        if body["grant_type"] != "authorization_code":
            raise Refusal(40108, "Invalid value for grant_type")
        need(incoming, "redirect_uri")
        return self.timed(self.world.take_code(body["auth_code"], app_id, timed=True))

    def account_refresh(self, incoming: Incoming) -> dict[str, Any]:
        """Refresh the token of an account holder."""
        body = need(incoming, "client_id", "client_secret", "grant_type", "refresh_token")
        app_id = self.world.check_app(body["client_id"], body["client_secret"])
        if body["grant_type"] != "refresh_token":
            raise Refusal(40108, "Invalid value for grant_type")
        return self.timed(self.world.take_refresh(body["refresh_token"], app_id))

    def timed(self, consent: Consent, lifetime: str = "refresh_token_expires_in") -> dict[str, Any]:
        """Return the token object of consents with a timer."""
        access, refresh = self.world.hand_out(consent, refreshable=True)
        return {
            "access_token": access,
            "expires_in": self.world.access_life,
            "open_id": consent.subject,
            "refresh_token": refresh,
            lifetime: int(consent.ends_at - self.world.now()),
            "scope": consent.scopes,
            "token_type": "Bearer",
        }

    def account_revoke(self, incoming: Incoming) -> dict[str, Any]:
        """Revoke the token of an account holder."""
        body = need(incoming, "client_id", "client_secret", "access_token")
        self.world.check_app(body["client_id"], body["client_secret"])
        self.world.who(body["access_token"]).revoked = True
        return {}

    def token_info(self, incoming: Incoming) -> dict[str, Any]:
        """Tell whose token that is, and its scopes in no particular order."""
        body = need(incoming, "app_id", "access_token")
        consent = self.world.who(body["access_token"])
        scopes = str(consent.scopes).split(",")
        return {
            "app_id": body["app_id"],
            "creator_id": consent.subject,
            "scope": ",".join(reversed(scopes)),
        }

    def business_get(self, incoming: Incoming) -> dict[str, Any]:
        """Tell the names of an account."""
        consent = self.world.who(incoming.headers.get("access-token"))
        if incoming.query.get("business_id") != consent.subject:
            raise Refusal(40002, "business_id is invalid")
        names = {"username": "user1", "display_name": "User One"}
        return {name: names[name] for name in json.loads(incoming.query["fields"])}

    # Login Kit

    def login_kit_token(self, incoming: Incoming) -> dict[str, Any]:
        """Answer the token endpoint of Login Kit; flat."""
        body = need(incoming, "client_key", "client_secret", "grant_type")
        app_id = self.world.check_app(body["client_key"], body["client_secret"])
        if body["grant_type"] == "client_credentials":
            self.world.app_tokens += 1
            consent = Consent(
                app_id,
                timed=True,
                subject=None,
                scopes="",
                advertisers={},
                ends_at=self.world.now() + YEAR,
            )
            token, _ = self.world.hand_out(consent, refreshable=True)
            self.world.access[token].expires_at = self.world.now() + 7200
            return {"access_token": token, "expires_in": 7200, "token_type": "Bearer"}
        if body["grant_type"] == "refresh_token":
            consent = self.world.take_refresh(body.get("refresh_token"), app_id)
        else:
            need(incoming, "code", "redirect_uri")
            code = self.world.codes.get(str(body["code"]))
            if code and code.verifier and code.verifier != body.get("code_verifier"):
                raise Refusal("invalid_request", "Code verifier or code challenge is invalid.")
            consent = self.world.take_code(body["code"], app_id, timed=True)
        return self.timed(consent, "refresh_expires_in")

    def login_kit_user(self, incoming: Incoming) -> dict[str, Any]:
        """Tell who the token speaks for."""
        scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
        consent = self.world.who(token if scheme == "Bearer" else None)
        fields = incoming.query.get("fields", "").split(",")
        user = {"open_id": consent.subject, "union_id": "union-1", "display_name": "User One"}
        return {"user": {name: value for name, value in user.items() if name in fields}}

    def login_kit_revoke(self, incoming: Incoming) -> None:
        """Revoke a Login Kit token."""
        body = need(incoming, "client_key", "client_secret", "token")
        self.world.check_app(body["client_key"], body["client_secret"])
        self.world.who(body["token"]).revoked = True


def need(incoming: Incoming, *names: str) -> Mapping[str, Any]:
    """Return the body if it has all *names*, each a text that is not empty."""
    body = incoming.body or {}
    missing = [n for n in names if not isinstance(body.get(n), str) or not body[n]]
    if missing:
        raise Refusal(40002, f"Missing required field(s): {', '.join(missing)}.")
    return body
