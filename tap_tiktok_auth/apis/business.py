"""What the token systems of the Business API have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.apis import responses
from tap_tiktok_auth.apis.base import Request, TokenApi
from tap_tiktok_auth.errors import AccessTokenRejected

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Response, TokenResponse
    from tap_tiktok_auth.config.models import App


class BusinessApi(TokenApi):
    """A token system of the Business API: JSON, an envelope, the header `Access-Token`."""

    def authorization(self, access_token: str) -> dict[str, str]:
        return {"Access-Token": access_token}

    def read_grant(self, response: Response) -> TokenResponse:
        data = responses.business_data(response, long_term=self.long_term)
        return responses.grant(response, data)

    def read_revoked(self, response: Response) -> None:
        try:
            responses.business_data(response)
        except AccessTokenRejected:
            return

    def read_data(self, response: Response) -> dict[str, Any]:
        return responses.business_data(response, long_term=self.long_term)

    def endpoint(self, path: str, version: str = "v1.3") -> str:
        """Return the address of an endpoint; the trailing slash matters to TikTok's gateway."""
        return f"{self.hosts.business}/open_api/{version}/{path}/"

    def spend(
        self, path: str, app: App, body: dict[str, Any], *secrets: str, version: str = "v1.3"
    ) -> Request:
        """Return a token request that carries a single-use credential."""
        return Request(
            purpose="refresh" if "refresh_token" in body else "exchange",
            method="POST",
            url=self.endpoint(path, version),
            app_id=app.app_id,
            json=body,
            spends=True,
            secrets=(app.secret, *secrets),
        )

    def read(
        self,
        path: str,
        access_token: str,
        params: dict[str, str] | None = None,
        *,
        app: App | None = None,
        verifies: bool = False,
    ) -> Request:
        """Return a data call; one with *app* sends the app secret in the query, as TikTok wants."""
        query = dict(params or {})
        secrets = [access_token]
        if app is not None and "app_id" in query:
            query["secret"] = app.secret
            secrets.append(app.secret)
        return Request(
            purpose="verify" if verifies else "read",
            method="GET",
            url=self.endpoint(path),
            app_id=app.app_id if app else "",
            headers=self.authorization(access_token),
            params=query,
            secrets=tuple(secrets),
        )
