"""A plain HTTP client of the simulator, so that the tests read like the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator

V1 = "/open_api/v1.3"
V2 = "/open_api/v2.0"
TOKEN = "/v2/oauth/token/"
_REFRESH = {"marketing": f"{V2}/oauth2/refresh_token/", "login_kit": TOKEN}


class Client:
    """Sends requests and returns what came back."""

    def __init__(self, tiktok: Simulator) -> None:
        self.tiktok = tiktok
        self.session = requests.Session()
        self.session.trust_env = False

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request; redirects are not followed."""
        options = {"timeout": 10, "allow_redirects": False, **options}
        return self.session.request(method, self.tiktok.url + path, **options)

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        """Post a JSON object and return the JSON answer."""
        return dict(self.send("POST", path, json=fields).json())

    def form(self, path: str, **fields: Any) -> dict[str, Any]:
        """Post a form and return the JSON answer."""
        return dict(self.send("POST", path, data=fields).json())

    def get(self, path: str, token: str | None = None, **query: Any) -> dict[str, Any]:
        """Get with an ``Access-Token`` header and return the JSON answer."""
        headers = {} if token is None else {"Access-Token": token}
        return dict(self.send("GET", path, params=query, headers=headers).json())

    def user(self, token: str, fields: str = "open_id") -> tuple[int, dict[str, Any]]:
        """Return status and body of Login Kit's ``/v2/user/info/``."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.send("GET", "/v2/user/info/", params={"fields": fields}, headers=headers)
        return answer.status_code, answer.json()

    def advertisers(self, token: str) -> dict[str, Any]:
        """List the advertisers of a token."""
        return self.get(f"{V1}/oauth2/advertiser/get/", token, **self.app_fields())

    def app_fields(self, api: str = "marketing") -> dict[str, str]:
        """Return the app's credentials under the names that the token system has for them."""
        app = self.tiktok.app(api)
        names = {
            "marketing": ("app_id", "secret"),
            "creator_marketplace": ("app_id", "secret"),
            "login_kit": ("client_key", "client_secret"),
        }
        id_name, secret_name = names.get(api, ("client_id", "client_secret"))
        return {id_name: app.app_id, secret_name: app.app_secret}

    def exchange(self, api: str, code: str | None = None, **extra: Any) -> dict[str, Any]:
        """Exchange a code, by default a new one, at the endpoint of *api*."""
        code = self.tiktok.authorize(api) if code is None else code
        redirect_uri = self.tiktok.app(api).redirect_uri
        fields = {**self.app_fields(api), "redirect_uri": redirect_uri}
        fields["grant_type"] = "authorization_code"
        if api == "login_kit":
            return self.form(TOKEN, **{**fields, "code": code, **extra})
        path = (
            "/tt_user/oauth2/token/" if api in {"accounts", "creator"} else "/oauth2/access_token/"
        )
        return self.post(V1 + path, **{**fields, "auth_code": code, **extra})

    def refresh(self, api: str, refresh_token: str | None) -> dict[str, Any]:
        """Refresh at the endpoint of *api*."""
        fields: dict[str, Any] = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        fields |= self.app_fields(api)
        path = _REFRESH.get(api, f"{V1}/tt_user/oauth2/refresh_token/")
        return self.form(path, **fields) if api == "login_kit" else self.post(path, **fields)


def said(answer: dict[str, Any]) -> Any:
    """Return TikTok's code or the name of its OAuth error."""
    return answer.get("code", answer.get("error"))
