"""What the token systems of the Business API have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.apis import responses
from tap_tiktok_auth.apis.base import Purpose, Request, TokenApi
from tap_tiktok_auth.errors import AccessTokenRejected

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Response, TokenResponse
    from tap_tiktok_auth.apis.platforms import App


class BusinessApi(TokenApi):
    """A token system of the Business API: JSON, an envelope, the header `Access-Token`."""

    @property
    def data_host(self) -> str:
        return self.hosts.business

    def authorization(self, access_token: str) -> dict[str, str]:
        return {"Access-Token": access_token}

    def read_data(self, response: Response) -> dict[str, Any]:
        return responses.business_data(response, long_term=self.long_term)

    def read_grant(self, response: Response) -> TokenResponse:
        return responses.grant(response, self.read_data(response))

    def read_revoked(self, response: Response) -> None:
        try:
            self.read_data(response)
        except AccessTokenRejected:
            return

    def endpoint(self, path: str, version: str = "v1.3") -> str:
        """Return the address of an endpoint; the trailing slash matters to TikTok's gateway."""
        return f"{self.hosts.business}/open_api/{version}/{path}/"

    def post(
        self,
        purpose: Purpose,
        path: str,
        app: App,
        body: dict[str, Any],
        *secrets: str,
        version: str = "v1.3",
    ) -> Request:
        """Return a request that is about a token: its *body* has all of it."""
        return Request(
            purpose=purpose,
            method="POST",
            url=self.endpoint(path, version),
            app_id=app.app_id,
            json=body,
            spends=purpose in {"exchange", "refresh"},
            secrets=(app.secret, *secrets),
        )

    def read(
        self,
        path: str,
        access_token: str,
        params: dict[str, str] | None = None,
        *,
        app: App | None = None,
        purpose: Purpose = "read",
    ) -> Request:
        """Return a data call; one with an `app_id` carries the secret in the query, as documented.

        Args:
            path: The endpoint.
            access_token: The token.
            params: The query.
            app: The app, as far as known.
            purpose: What the call is for.
        """
        query, secrets = dict(params or {}), [access_token]
        if app is not None and "app_id" in query:
            query["secret"] = app.secret
            secrets.append(app.secret)
        return Request(
            purpose=purpose,
            method="GET",
            url=self.endpoint(path),
            app_id=app.app_id if app else "",
            headers=self.authorization(access_token),
            params=query,
            secrets=tuple(secrets),
        )
