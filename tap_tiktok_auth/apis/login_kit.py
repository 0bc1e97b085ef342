"""Login Kit (TikTok for Developers): another platform, another app, form bodies, `Bearer`.

Facts from TikTok for Developers docs (Login Kit for Web and Desktop, user access token
management, client access token management, `/v2/user/info/`). Lifetimes changed in 2026; only
returned seconds count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.apis import responses
from tap_tiktok_auth.apis.base import Account, Identity, Request, TokenApi, need_redirect_uri
from tap_tiktok_auth.errors import AccessTokenRejected, GrantRejected

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Consent, Purpose, Response, TokenResponse
    from tap_tiktok_auth.apis.platforms import App

_PURPOSES: dict[str, Purpose] = {
    "authorization_code": "exchange",
    "refresh_token": "refresh",
    "client_credentials": "client_token",
}
_BASIC_FIELDS = "open_id,union_id,display_name"


class LoginKitApi(TokenApi):
    """TikTok users' tokens, and tokens of the app itself."""

    name = "login_kit"
    account_holder = True
    # The number leaves no doubt about the machine. (TikTok docs: Login Kit for Desktop.)
    loopback_host = "127.0.0.1"
    pkce = True
    verifies_without_app = True
    default_scopes = ("user.info.basic",)
    client_credentials = True

    @property
    def data_host(self) -> str:
        return self.hosts.login_kit

    def authorization(self, access_token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {access_token}"}

    def exchange(
        self,
        app: App,
        code: str,
        *,
        redirect_uri: str | None = None,
        code_verifier: str | None = None,
    ) -> Request:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": need_redirect_uri(redirect_uri),
        }
        if code_verifier:
            form["code_verifier"] = code_verifier
        return self._token_request(app, form, code, *filter(None, [code_verifier]))

    def refresh(self, app: App, refresh_token: str) -> Request:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._token_request(app, form, refresh_token)

    def client_token(self, app: App) -> Request:
        return self._token_request(app, {"grant_type": "client_credentials"})

    def verify(
        self, connection: Consent, access_token: str, scopes: tuple[str, ...] = ()
    ) -> Request:
        """Return `user/info`, which also says who the account is, as far as *scopes* allow."""
        more = ",username" if "user.info.profile" in scopes else ""
        return Request(
            purpose="verify",
            method="GET",
            url=f"{self.hosts.login_kit}/v2/user/info/",
            app_id=connection.app.app_id if connection.app else "",
            headers=self.authorization(access_token),
            params={"fields": _BASIC_FIELDS + more},
            secrets=(access_token,),
        )

    def revoke(self, app: App, access_token: str) -> Request:
        return Request(
            purpose="revoke",
            method="POST",
            url=f"{self.hosts.login_kit}/v2/oauth/revoke/",
            app_id=app.app_id,
            form={"client_key": app.app_id, "client_secret": app.secret, "token": access_token},
            secrets=(app.secret, access_token),
        )

    def read_data(self, response: Response) -> dict[str, Any]:
        return responses.login_kit_data(response)

    def read_grant(self, response: Response) -> TokenResponse:
        return responses.grant(response, self.read_data(response))

    def read_identity(self, response: Response) -> Identity:
        account = self.read_account(response)
        return Identity(subject_id=account.open_id, account=account if account.open_id else None)

    def read_revoked(self, response: Response) -> None:
        try:
            responses.login_kit_done(response)
        except (AccessTokenRejected, GrantRejected):
            return

    def read_account(self, response: Response) -> Account:
        """Read the account from the response to `verify`."""
        data = self.read_data(response)
        user = data.get("user")
        user = user if isinstance(user, dict) else {}
        return Account(
            open_id=responses.if_usable(responses.identifier, response, user, "open_id"),
            union_id=responses.if_usable(responses.identifier, response, user, "union_id"),
            username=responses.text(user.get("username")),
            display_name=responses.text(user.get("display_name")),
        )

    def _token_request(self, app: App, form: dict[str, str], *secrets: str) -> Request:
        purpose = _PURPOSES[form["grant_type"]]
        return Request(
            purpose=purpose,
            method="POST",
            url=f"{self.hosts.login_kit}/v2/oauth/token/",
            app_id=app.app_id,
            headers={"Cache-Control": "no-cache"},
            form={"client_key": app.app_id, "client_secret": app.secret, **form},
            # Asking again for a token of the app itself costs nothing.
            spends=purpose != "client_token",
            secrets=(app.secret, *secrets),
        )
