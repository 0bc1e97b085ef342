"""Accounts API: TikTok account holders consent; one day and a refresh token of one year.

Facts from TikTok's Business API docs (Accounts API authorization and authentication, short-term
access token, token scopes). One app id has three names here: `client_key` on the consent page,
`client_id` in token requests, `app_id` in `token_info`. The endpoints exist at v1.3 only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tap_tiktok_auth.apis import responses
from tap_tiktok_auth.apis.base import Account, Identity, json_list, need_app, need_redirect_uri
from tap_tiktok_auth.apis.business import BusinessApi

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Consent, Request, Response
    from tap_tiktok_auth.apis.platforms import App

#: The fields of `business/get` that say who the account is, and the scope that each needs.
_ACCOUNT_FIELDS = (("username", "user.info.username"), ("display_name", "user.info.basic"))


class AccountsApi(BusinessApi):
    """TikTok account holders' tokens."""

    name = "accounts"
    account_holder = True
    # One more than the app has, and TikTok shows an error page instead of the consent.
    default_scopes: ClassVar[tuple[str, ...]] = ("user.info.basic",)

    def exchange(
        self,
        app: App,
        code: str,
        *,
        redirect_uri: str | None = None,
        code_verifier: str | None = None,
    ) -> Request:
        del code_verifier
        body = {
            **_client(app),
            "grant_type": "authorization_code",
            "auth_code": code,
            "redirect_uri": need_redirect_uri(redirect_uri),
        }
        return self.post("exchange", "tt_user/oauth2/token", app, body, code)

    def refresh(self, app: App, refresh_token: str) -> Request:
        body = {**_client(app), "grant_type": "refresh_token", "refresh_token": refresh_token}
        return self.post("refresh", "tt_user/oauth2/refresh_token", app, body, refresh_token)

    def verify(
        self, connection: Consent, access_token: str, scopes: tuple[str, ...] = ()
    ) -> Request:
        """Return `tt_user/token_info/get`: a POST that needs neither secret nor header."""
        del scopes
        app = need_app(connection)
        body = {"app_id": app.app_id, "access_token": access_token}
        return self.post("verify", "tt_user/token_info/get", app, body, access_token)

    def revoke(self, app: App, access_token: str) -> Request:
        body = {**_client(app), "access_token": access_token}
        return self.post("revoke", "tt_user/oauth2/revoke", app, body, access_token)

    def read_identity(self, response: Response) -> Identity:
        data = self.read_data(response)
        return Identity(
            subject_id=responses.if_usable(
                responses.identifier, response, data, "creator_id", "open_id"
            ),
            scopes=responses.if_usable(responses.scopes, response, data.get("scope")),
        )

    def account_fields(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """Return the fields that say who the account is, as far as *scopes* allow.

        A field without its scope makes the whole call fail.
        """
        return tuple(name for name, scope in _ACCOUNT_FIELDS if scope in scopes)

    def account(self, access_token: str, open_id: str, scopes: tuple[str, ...]) -> Request:
        """Return the request for the account's names."""
        fields = json_list(self.account_fields(scopes))
        return self.read("business/get", access_token, {"business_id": open_id, "fields": fields})

    def read_account(self, response: Response) -> Account:
        """Read the response to `account`."""
        data = self.read_data(response)
        return Account(
            username=responses.text(data.get("username")),
            display_name=responses.text(data.get("display_name")),
        )


class CreatorApi(AccountsApi):
    """Creator Marketplace creators' tokens: consent and endpoints are those of account holders."""

    name = "creator"
    default_scopes = ("user.info.basic", "biz.creator.info")


def _client(app: App) -> dict[str, str]:
    return {"client_id": app.app_id, "client_secret": app.secret}
