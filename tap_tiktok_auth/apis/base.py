"""What every TikTok token system has in common."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import urlencode

from tap_tiktok_auth.apis import responses
from tap_tiktok_auth.apis.messages import Request
from tap_tiktok_auth.errors import AccessTokenRejected, ConfigurationError

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.messages import Response
    from tap_tiktok_auth.config.models import App, Connection, Hosts
    from tap_tiktok_auth.credentials.tokens import TokenResponse


class Advertiser(NamedTuple):
    """An ad account that a token may use."""

    advertiser_id: str
    name: str | None = None


@dataclass(frozen=True)
class Account:
    """A TikTok account that a token speaks for, as far as its scopes allow to know."""

    open_id: str | None = None
    union_id: str | None = None
    username: str | None = None
    display_name: str | None = None


@dataclass(frozen=True)
class Identity:
    """What TikTok says about a token when asked. None means "not told".

    Attributes:
        subject_id: Whom the token speaks for.
        scopes: Its scopes, sorted.
        advertisers: The ad accounts it may use.
        account_ids: The Creator Marketplace accounts it may use.
        account: The TikTok account it speaks for, where the same call tells it.
    """

    subject_id: str | None = None
    scopes: tuple[str, ...] | None = None
    advertisers: tuple[Advertiser, ...] | None = None
    account_ids: tuple[str, ...] = ()
    account: Account | None = None


class TokenApi(ABC):
    """One of TikTok's token systems: builds requests and reads answers, without any I/O.

    Args:
        hosts: Where TikTok is.
        api_version: Version of the Marketing API, `v1.3` or `v2.0`.
        long_term_token: Whether v2.0 is asked for tokens without a timer.
    """

    #: Its name in the settings.
    name: ClassVar[str]
    #: The callback parameter that holds the code.
    code_parameter: ClassVar[str] = "code"
    #: Whether TikTok accepts a callback address on this machine.
    loopback_redirect: ClassVar[bool] = False
    #: Whether a loopback authorization carries a PKCE challenge.
    pkce: ClassVar[bool] = False
    #: The scopes asked for when a person logs in without naming any.
    default_scopes: ClassVar[tuple[str, ...]] = ()
    #: Whether tokens can be asked for on behalf of the app itself.
    client_credentials: ClassVar[bool] = False
    #: Whether tokens have no timer unless an answer says otherwise.
    long_term: ClassVar[bool] = False

    def __init__(
        self, hosts: Hosts, *, api_version: str = "v1.3", long_term_token: bool = True
    ) -> None:
        self.hosts = hosts
        self.api_version = api_version
        self.long_term_token = long_term_token

    @abstractmethod
    def authorize_url(
        self,
        app_id: str,
        redirect_uri: str,
        state: str,
        *,
        scopes: tuple[str, ...] = (),
        challenge: str | None = None,
    ) -> str:
        """Return the address of TikTok's consent page.

        Args:
            app_id: The app id or client key.
            redirect_uri: The callback address as registered.
            state: The unguessable text that comes back with the code.
            scopes: What to ask for.
            challenge: The PKCE challenge, where the system has one.
        """

    @abstractmethod
    def exchange(
        self,
        app: App,
        code: str,
        *,
        redirect_uri: str | None = None,
        code_verifier: str | None = None,
    ) -> Request:
        """Return the request that turns an authorization code into a token.

        Raises:
            ConfigurationError: A setting that TikTok requires is missing, so nothing may be sent.
        """

    @abstractmethod
    def refresh(self, app: App, refresh_token: str) -> Request:
        """Return the request that turns a refresh token into a new token."""

    def client_token(self, app: App) -> Request:
        """Return the request for a token of the app itself.

        Raises:
            ConfigurationError: The token system has no such tokens.
        """
        raise ConfigurationError(f"api {self.name} gives no tokens to the app {app.app_id} itself")

    @abstractmethod
    def verify(
        self, connection: Connection, access_token: str, scopes: tuple[str, ...] = ()
    ) -> Request:
        """Return the request by which TikTok itself says whether the token works.

        Args:
            connection: The connection, with its app.
            access_token: The token.
            scopes: The token's scopes, as far as known: they allow to ask for more.
        """

    @abstractmethod
    def revoke(self, app: App, access_token: str) -> Request:
        """Return the request that ends the token at TikTok."""

    @abstractmethod
    def read_grant(self, response: Response) -> TokenResponse:
        """Read the answer to `exchange`, `refresh` or `client_token`."""

    @abstractmethod
    def read_identity(self, response: Response) -> Identity:
        """Read the answer to `verify`."""

    @abstractmethod
    def read_revoked(self, response: Response) -> None:
        """Read the answer to `revoke`; a token that is already dead is revoked too."""

    @abstractmethod
    def authorization(self, access_token: str) -> dict[str, str]:
        """Return the header that authorises a data call."""

    @property
    def data_host(self) -> str:
        """The base address that tokens of this system may be sent to."""
        return self.hosts.of(self.name)


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


def query_url(base: str, params: dict[str, str]) -> str:
    """Return *base* with *params* as its query."""
    return f"{base}?{urlencode(params)}"


def account_holder_url(
    hosts: Hosts,
    app_id: str,
    redirect_uri: str,
    state: str,
    scopes: tuple[str, ...],
    **more: str,
) -> str:
    """Return the consent page of TikTok account holders.

    `disable_auto_auth=1` shows the page even to someone who consented before, so that a person
    sees which account they connect. (TikTok for Developers docs, Login Kit for Web.)
    """
    params = {
        "client_key": app_id,
        "response_type": "code",
        "scope": ",".join(scopes),
        "redirect_uri": redirect_uri,
        "state": state,
        "disable_auto_auth": "1",
        **more,
    }
    return query_url(f"{hosts.tiktok}/v2/auth/authorize/", params)


def json_list(items: tuple[str, ...]) -> str:
    """Return *items* as the compact JSON list that TikTok takes in a query."""
    return json.dumps(items, separators=(",", ":"))


def need_redirect_uri(redirect_uri: str | None) -> str:
    """Return the callback address, which TikTok compares with that of the consent.

    Raises:
        ConfigurationError: There is none.
    """
    if not redirect_uri:
        raise ConfigurationError(
            "setting redirect_uri is missing: TikTok requires it with an auth_code, so nothing "
            "was sent",
            next_step="Set redirect_uri to the address that is registered for the app.",
        )
    return redirect_uri


def need_app(connection: Connection) -> App:
    """Return the connection's app.

    Raises:
        ConfigurationError: It has none.
    """
    if connection.app is None:
        raise ConfigurationError(
            "the app's credentials are missing",
            next_step="Set app_id and app_secret, or run: tiktok-auth login {connection}",
        )
    return connection.app
