"""Marketing API: advertisers consent, the token has no timer.

Facts from TikTok's Business API docs (authorization, authentication, long-term access token,
v2.0 advertiser access token) and from `tiktok-business-api-sdk`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.apis import responses
from tap_tiktok_auth.apis.base import Advertiser, Identity, json_list, need_app, query_url
from tap_tiktok_auth.apis.business import BusinessApi
from tap_tiktok_auth.errors import ConfigurationError, RequestRefused

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Consent, Request, Response, TokenResponse
    from tap_tiktok_auth.apis.platforms import App

#: TikTok's codes for a call that is not there, or not any more.
_NO_SUCH_CALL = frozenset({"40006", "40007", "40400", "41001"})

#: Ids that one call of `advertiser/info` takes. The limit is not published; this many works.
ADVERTISER_INFO_BATCH = 100

#: The permissions of the first level, by scope id. (TikTok docs: Permission scope.)
SCOPE_NAMES = {
    "1": "Ad Account Management",
    "2": "Ads Management",
    "3": "Audience",
    "4": "Reporting",
    "5": "Measurement",
    "6": "Creative",
    "7": "App",
    "8": "Pixel",
    "9": "DPA Catalog",
    "10000": "Reach & Frequency",
    "12000000": "Leads",
    "13000000": "TCM",
    "14000000": "TikTok Creator",
    "15000000": "Ad Comments",
    "16000000": "Business plugin",
    "17000000": "Automated rules",
    "18000000": "TikTok Accounts",
    "19000000": "Onsite store",
    "7043626160646946818": "Offline",
    "7050363942434013185": "Diagnosis",
    "7294180478502830081": "CRM",
}

#: The fields of `advertiser/info` that are no personal data.
ADVERTISER_INFO_FIELDS = (
    "advertiser_id",
    "owner_bc_id",
    "status",
    "role",
    "rejection_reason",
    "name",
    "timezone",
    "display_timezone",
    "company",
    "industry",
    "country",
    "advertiser_account_type",
    "currency",
    "language",
    "description",
    "balance",
    "create_time",
)


class LongTermBusinessApi(BusinessApi):
    """The advertiser-style authorization, which Creator Marketplace brands share."""

    code_parameter = "auth_code"
    loopback_host = "localhost"
    long_term = True

    def authorize_url(
        self,
        app_id: str,
        redirect_uri: str,
        state: str,
        *,
        scopes: tuple[str, ...] = (),
        challenge: str | None = None,
    ) -> str:
        del challenge
        params = {"app_id": app_id, "state": state, "redirect_uri": redirect_uri}
        if scopes:
            params["scope"] = f"[{','.join(scopes)}]"
        return query_url(f"{self.hosts.business}/portal/auth", params)

    def exchange(
        self,
        app: App,
        code: str,
        *,
        redirect_uri: str | None = None,
        code_verifier: str | None = None,
    ) -> Request:
        del redirect_uri, code_verifier
        body: dict[str, Any] = {
            "app_id": app.app_id,
            "secret": app.secret,
            "auth_code": code,
            # TikTok docs: against a time-out where there are thousands of ad accounts; the code
            # would be gone with it. `oauth2/advertiser/get` tells which they are.
            "return_advertiser_ids": False,
        }
        if self.token_version == "v2.0":  # noqa: S105  (a version, not a token)
            body["is_long_term"] = self.long_term_token
        return self.post(
            "exchange", "oauth2/access_token", app, body, code, version=self.token_version
        )

    def refresh(self, app: App, refresh_token: str) -> Request:
        """Return the refresh of a v2.0 short-term token.

        TikTok documents that it exists, not its form; path and fields are those of the route that
        v1.3 deprecates and that still answers.
        """
        body = {"app_id": app.app_id, "secret": app.secret, "refresh_token": refresh_token}
        path = "oauth2/refresh_token"
        return self.post("refresh", path, app, body, refresh_token, version=self.token_version)

    def revoke(self, app: App, access_token: str) -> Request:
        body = {"app_id": app.app_id, "secret": app.secret, "access_token": access_token}
        path = "oauth2/revoke_token"
        return self.post("revoke", path, app, body, access_token, version=self.token_version)

    def read_grant(self, response: Response) -> TokenResponse:
        """Read a token response; that there is no refresh in v1.3 is told as what it is."""
        try:
            return super().read_grant(response)
        except (ConfigurationError, RequestRefused) as error:
            gone = response.status == 404 or error.code in _NO_SUCH_CALL
            if not gone or not response.request.url.endswith("/v1.3/oauth2/refresh_token/"):
                raise
            raise ConfigurationError(
                "there is no refresh in v1.3: its tokens work until they are revoked",
                next_step="Set access_token instead of refresh_token. For a token of v2.0, set "
                "api_version to v2.0.",
                code=error.code,
                request_id=error.request_id,
            ) from None

    @property
    def token_version(self) -> str:
        """The version of the token endpoints."""
        return "v1.3"


class MarketingApi(LongTermBusinessApi):
    """Advertisers' tokens."""

    name = "marketing"
    has_advertisers = True

    @property
    def token_version(self) -> str:
        return self.api_version

    def verify(
        self, connection: Consent, access_token: str, scopes: tuple[str, ...] = ()
    ) -> Request:
        """Return `oauth2/advertiser/get`, or `user/info` where ad accounts are configured.

        The sandbox has no discovery; a configured list of ad accounts says that we are there.
        """
        del scopes
        if connection.advertiser_ids:
            return self.read("user/info", access_token, app=connection.app, purpose="verify")
        app = need_app(connection)
        return self.read(
            "oauth2/advertiser/get", access_token, {"app_id": app.app_id}, app=app, purpose="verify"
        )

    def read_identity(self, response: Response) -> Identity:
        data = self.read_data(response)
        if response.request.url.endswith("/user/info/"):
            user = responses.if_usable(responses.identifier, response, data, "core_user_id")
            return Identity(subject_id=user)
        if data.get("list") is None:
            return Identity()  # an answer without a list is not one that says "none"
        found: dict[str, Advertiser] = {}
        for item in responses.objects(response, data.get("list")):
            advertiser_id = responses.identifier(response, item, "advertiser_id")
            if advertiser_id is not None:
                found[advertiser_id] = Advertiser(
                    advertiser_id, responses.text(item.get("advertiser_name"))
                )
        return Identity(advertisers=tuple(found.values()))

    def advertiser_info(self, access_token: str, advertiser_ids: tuple[str, ...]) -> Request:
        """Return the request for details of ad accounts, without personal data."""
        params = {
            "advertiser_ids": json_list(advertiser_ids),
            "fields": json_list(ADVERTISER_INFO_FIELDS),
        }
        return self.read("advertiser/info", access_token, params)

    def read_advertiser_info(self, response: Response) -> list[dict[str, Any]]:
        """Read the response to `advertiser_info`: one object for each ad account."""
        data = self.read_data(response)
        rows = responses.objects(response, data.get("list"))
        for row in rows:
            row["advertiser_id"] = responses.identifier(response, row, "advertiser_id")
        return [row for row in rows if row["advertiser_id"]]
