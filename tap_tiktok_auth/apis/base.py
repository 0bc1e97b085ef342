"""What all token systems have in common: requests, responses, and what a system can do."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

from tap_tiktok_auth.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from tap_tiktok_auth.apis.platforms import App, Hosts

    class Consent(Protocol):
        """What a token system asks of a connection."""

        @property
        def app(self) -> App | None:
            """The app; None if only the store knows it."""

        @property
        def advertiser_ids(self) -> tuple[str, ...]:
            """Ad accounts to use instead of discovering them."""


#: What a call is for: the exchange of an authorization code, the refresh of a token, a token of the
#: app itself, asking TikTok whether a token works, reading data, or revoking a token.
Purpose = Literal["exchange", "refresh", "client_token", "verify", "read", "revoke"]


@dataclass(frozen=True)
class Request:
    """One HTTP request, ready to be sent.

    Attributes:
        purpose: What it is for; decides how a refusal is understood.
        url: Address without query.
        app_id: The app whose rate limit it counts against.
        spends: Whether it carries a credential that works once. Such a request is never sent
            again unless it surely was not carried out.
        secrets: The secret values in it, for redaction.
    """

    purpose: Purpose
    method: Literal["GET", "POST", "HEAD"]
    url: str
    app_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    spends: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Response:
    """An answer as it came.

    Attributes:
        body: At most as large as the client allows; may hold tokens.
        sent_at: When the request was sent, seconds since the epoch.
        retry_after: Seconds to wait, if the answer says so. (TikTok sends none so far.)
        date: The time of day at the host, as HTTP writes it; empty if the answer does not say.
    """

    request: Request
    status: int
    body: bytes = field(repr=False)
    sent_at: float = 0.0
    retry_after: float | None = None
    date: str = ""


@dataclass(frozen=True)
class TokenResponse:
    """Successful response to a token request (RFC 6749, 5.1), with every spelling made one.

    Attributes:
        access_token: Never empty.
        refresh_token: None if the answer had none or an empty one.
        expires_in: Seconds the access token lives; None if it does not expire or none was told.
        refresh_expires_in: Seconds the refresh token lives; None if not told.
        subject_id: Whom the token speaks for (TikTok's `open_id` or `creator_id`).
        scopes: Sorted; None if the answer does not tell.
        advertiser_ids: Ad accounts named by the answer, in TikTok's order.
        request_id: TikTok's id of the call.
        unread: Fields of the answer that are of no use as they are, and so count as not told.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: float | None = None
    refresh_expires_in: float | None = None
    subject_id: str | None = None
    scopes: tuple[str, ...] | None = None
    advertiser_ids: tuple[str, ...] = ()
    request_id: str | None = None
    unread: tuple[str, ...] = ()


class Advertiser(NamedTuple):
    """An ad account that a token may use."""

    advertiser_id: str
    name: str | None = None


class Account(NamedTuple):
    """A TikTok account that a token speaks for, as far as its scopes allow to know."""

    open_id: str | None = None
    union_id: str | None = None
    username: str | None = None
    display_name: str | None = None


class Identity(NamedTuple):
    """What TikTok says about a token when asked. None means "not told".

    Attributes:
        subject_id: Whom the token speaks for.
        account_ids: The Creator Marketplace accounts it may use.
        account: The TikTok account it speaks for, where the same call tells it.
    """

    subject_id: str | None = None
    scopes: tuple[str, ...] | None = None
    advertisers: tuple[Advertiser, ...] | None = None
    account_ids: tuple[str, ...] = ()
    account: Account | None = None


class TokenApi(ABC):
    """A token system: its facts, the requests it takes, and how its responses are read. No I/O.

    Args:
        hosts: Where TikTok is.
        api_version: Version of the Marketing API, `v1.3` or `v2.0`.
        long_term_token: Whether v2.0 is asked for tokens that do not expire.
    """

    #: Its name in the settings.
    name: ClassVar[str]
    #: Whether a TikTok account holder consents. Scopes are names then, the callback address goes
    #: with the code, and access tokens end within a day.
    account_holder: ClassVar[bool] = False
    #: Whether its tokens are for ad accounts, which a config may list.
    has_advertisers: ClassVar[bool] = False
    #: The callback parameter that holds the code.
    code_parameter: ClassVar[str] = "code"
    #: How TikTok wants a callback address on this machine to name it; None if it takes none.
    loopback_host: ClassVar[str | None] = None
    #: Whether a loopback authorization carries a PKCE challenge.
    pkce: ClassVar[bool] = False
    #: The scopes asked for when a person logs in without naming any.
    default_scopes: ClassVar[tuple[str, ...]] = ()
    #: Whether tokens can be asked for on behalf of the app itself.
    client_credentials: ClassVar[bool] = False
    #: Whether a refresh token can be given.
    refresh_tokens: ClassVar[bool] = True
    #: Whether TikTok confirms a token without the app's credentials.
    verifies_without_app: ClassVar[bool] = False
    #: Whether tokens do not expire unless a response says otherwise.
    long_term: ClassVar[bool] = False

    def __init__(
        self, hosts: Hosts, *, api_version: str = "v1.3", long_term_token: bool = True
    ) -> None:
        self.hosts = hosts
        self.api_version = api_version
        self.long_term_token = long_term_token

    def authorize_url(
        self,
        app_id: str,
        redirect_uri: str,
        state: str,
        *,
        scopes: tuple[str, ...] = (),
        challenge: str | None = None,
    ) -> str:
        """Return the address of TikTok's consent page, that of account holders unless overridden.

        `disable_auto_auth=1` shows the page even to someone who consented before, so that a person
        sees which account they connect. (TikTok for Developers docs, Login Kit for Web.)
        """
        params = {
            "client_key": app_id,
            "response_type": "code",
            "scope": ",".join(scopes or self.default_scopes),
            "redirect_uri": redirect_uri,
            "state": state,
            "disable_auto_auth": "1",
        }
        if challenge:
            params |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        return query_url(f"{self.hosts.tiktok}/v2/auth/authorize/", params)

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
        self, connection: Consent, access_token: str, scopes: tuple[str, ...] = ()
    ) -> Request:
        """Return the request by which TikTok itself says whether the token works.

        The token's *scopes*, as far as known, allow to ask for more.
        """

    @abstractmethod
    def revoke(self, app: App, access_token: str) -> Request:
        """Return the request that ends the token at TikTok."""

    @abstractmethod
    def read_data(self, response: Response) -> dict[str, Any]:
        """Return the content of a response that refuses nothing, with its `request_id`.

        Raises:
            TikTokAuthError: TikTok refuses, or the response cannot be understood.
        """

    @abstractmethod
    def read_grant(self, response: Response) -> TokenResponse:
        """Read the response to `exchange`, `refresh` or `client_token`."""

    @abstractmethod
    def read_identity(self, response: Response) -> Identity:
        """Read the response to `verify`."""

    def account_fields(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """Return what `account` tells, as far as *scopes* allow, and `verify` does not."""
        del scopes
        return ()

    def account(self, access_token: str, open_id: str, scopes: tuple[str, ...]) -> Request:
        """Return the request for the names of an account, where `account_fields` names any."""
        raise NotImplementedError

    def read_account(self, response: Response) -> Account:
        """Read the response to `account`."""
        raise NotImplementedError

    @abstractmethod
    def read_revoked(self, response: Response) -> None:
        """Read the response to `revoke`; a token that is already dead is revoked too."""

    @abstractmethod
    def authorization(self, access_token: str) -> dict[str, str]:
        """Return the header that authorises a data call."""

    @property
    @abstractmethod
    def data_host(self) -> str:
        """The base address that tokens of this system may be sent to."""


def query_url(base: str, params: dict[str, str]) -> str:
    """Return *base* with *params* as its query."""
    return f"{base}?{urlencode(params)}"


def json_list(items: tuple[str, ...]) -> str:
    """Return *items* as the compact JSON list that TikTok takes in a query."""
    return json.dumps(items, separators=(",", ":"))


def need_redirect_uri(redirect_uri: str | None) -> str:
    """Return the callback address, which TikTok compares with that of the consent, or refuse."""
    if not redirect_uri:
        raise ConfigurationError(
            "setting redirect_uri is missing: TikTok requires it with an auth_code, so nothing "
            "was sent",
            next_step="Set redirect_uri to the address that is registered for the app.",
        )
    return redirect_uri


def check_account_holder_uri(uri: str) -> str | None:
    """Check a redirect URI against the rules of TikTok's page for account holders.

    TikTok docs, TikTok account holder authorization: https, a slash at the end, no query, no
    fragment, no port, 10 to 512 characters. Addresses without the slash are in use all the same.

    Returns:
        What the person should know about a redirect URI that TikTok may take.

    Raises:
        ConfigurationError: TikTok would refuse it.
    """
    parts = split_redirect_uri(uri)
    broken = (
        (parts.scheme != "https", "must begin with https://"),
        (":" in parts.netloc, "must have no port"),
        ("?" in uri or "#" in uri, "must have no query and no fragment"),
        (not 10 <= len(uri) <= 512, "must have 10 to 512 characters"),
    )
    problem = next((text for is_broken, text in broken if is_broken), None)
    if problem is not None:
        raise _wrong_redirect_uri(f"{problem}, for TikTok's page for account holders")
    if uri.endswith("/"):
        return None
    return (
        "setting redirect_uri must end with a slash, by TikTok's rules for account holders; "
        "without one it works if it is registered exactly so"
    )


def split_redirect_uri(uri: str) -> SplitResult:
    """Return the parts of a redirect URI, whose port may be a `*`, or refuse what is none."""
    try:
        parts = urlsplit(uri)
        if not parts.netloc.endswith(":*"):
            _ = parts.port
    except ValueError:
        raise _wrong_redirect_uri("is not an address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _wrong_redirect_uri("must be an http or https address")
    if parts.username is not None or any(char.isspace() or char == "\\" for char in uri):
        raise _wrong_redirect_uri("must have no user, space or backslash")
    return parts


def _wrong_redirect_uri(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"setting redirect_uri {problem}",
        next_step="Write it as it is registered for the app.",
    )


def need_app(connection: Consent) -> App:
    """Return the connection's app, or refuse to go on without one."""
    if connection.app is None:
        raise ConfigurationError(
            "the app's credentials are missing",
            next_step="Set app_id and app_secret, or run: tiktok-auth login {connection}",
        )
    return connection.app
