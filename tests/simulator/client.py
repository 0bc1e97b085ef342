"""A plain HTTP client of the simulator, so that the tests read like the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator

V1 = "/open_api/v1.3"
TIMEOUT = 10


class Client:
    """Sends requests and returns what came back."""

    def __init__(self, tiktok: Simulator) -> None:
        self.tiktok = tiktok
        self.session = requests.Session()
        self.session.trust_env = False

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request; redirects are not followed."""
        options = {"timeout": TIMEOUT, "allow_redirects": False, **options}
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

    def exchange(self, api: str, code: str, **extra: Any) -> dict[str, Any]:
        """Exchange a code at the endpoint of *api*."""
        app = self.app_fields(api)
        redirect_uri = self.tiktok.app(api).redirect_uri
        grant = {"grant_type": "authorization_code", "redirect_uri": redirect_uri}
        if api == "login_kit":
            return self.form("/v2/oauth/token/", **{**app, **grant, "code": code, **extra})
        if api in {"accounts", "creator"}:
            body = {**app, **grant, "auth_code": code, **extra}
            return self.post(f"{V1}/tt_user/oauth2/token/", **body)
        return self.post(f"{V1}/oauth2/access_token/", **{**app, "auth_code": code, **extra})

    def refresh(self, api: str, refresh_token: str) -> dict[str, Any]:
        """Refresh at the endpoint of *api*."""
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        if api == "login_kit":
            return self.form("/v2/oauth/token/", **self.app_fields(api), **fields)
        return self.post(f"{V1}/tt_user/oauth2/refresh_token/", **self.app_fields(api), **fields)
