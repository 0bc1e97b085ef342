"""The authorization request of a login, its pending login, and the authorization response.

Nothing here knows a terminal or a browser of this machine: whoever sends a person to the request's
address, and gets the response, may be a command as well as a web application.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qs, urlsplit

from tap_tiktok_auth.config.models import App, Connection, Seed
from tap_tiktok_auth.credentials.models import PendingLogin
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    ConfigurationError,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.network import is_loopback, origin_of
from tap_tiktok_auth.redaction import clean_id, clean_message

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.manager import TokenManager

#: Seconds for which a pending login can be finished, as long as TikTok's codes for account holders
#: live.
LIFETIME = 600.0
_CODE = re.compile(r"[!-~]{1,2048}")
_AGAIN = "Run: tiktok-auth login {connection}"
_WHO = (
    "If nobody denied it, that account may not authorise this app: ad accounts take the role "
    "Operator or Admin, an app in its sandbox its target users. To try again: "
    "tiktok-auth login {connection}"
)
_OTHER = "Log in with an account that may authorise the app: tiktok-auth login {connection}"
#: The paths of TikTok's consent pages.
PAGE_PATHS = ("/portal/auth", "/v2/auth/authorize", "/marketing_api/auth")
_FOREIGN = (
    "Its answer belongs to no login of ours. Run tiktok-auth login NAME, and open the address that "
    "it shows; the link may follow --scope, for all scopes of the app. Or set the answer's code, "
    "decoded once, as the setting auth_code, where it works once too."
)
#: What a state of ours looks like.
_STATE = re.compile(r"[\w-]{43}", re.ASCII)
#: TikTok's names for what went wrong on the consent page, and what they mean to a person.
#: (TikTok docs, OAuth error handling.)
_DENIALS: dict[str, tuple[type[TikTokAuthError], str, str]] = {
    "access_denied": (
        AuthorizationRequired,
        "the access was denied in the browser, nothing has changed",
        _WHO,
    ),
    "invalid_scope": (
        ConfigurationError,
        "the app may not ask for one of the scopes",
        "Ask TikTok to approve it for the app, or choose others with --scope.",
    ),
    "unauthorized_client": (
        ConfigurationError,
        "TikTok does not let this app ask for access",
        (
            "Check the app id, whether TikTok has approved the app, and, while it is in its "
            "sandbox, whether the account is one of its target users."
        ),
    ),
    "server_error": (TryAgainLater, "TikTok's consent page failed", _AGAIN),
    "temporarily_unavailable": (TryAgainLater, "TikTok's consent page is not available", _AGAIN),
}


@dataclass(frozen=True)
class AuthorizationRequest:
    """An authorization request whose response is awaited.

    Attributes:
        connection: Name of the connection.
        url: Address of TikTok's consent page.
        state: What the response must carry.
        redirect_uri: Where TikTok sends the browser with the response.
        scopes: What is asked for; empty if that is left to the app.
    """

    connection: str
    url: str = field(repr=False)
    state: str = field(repr=False)
    redirect_uri: str
    scopes: tuple[str, ...] = ()


def new_verifier() -> str:
    """Return a PKCE verifier: 86 characters, of the 43 to 128 that are allowed."""
    return secrets.token_urlsafe(64)


def challenge_of(verifier: str) -> str:
    """Return the PKCE challenge of a verifier.

    TikTok wants the SHA-256 in hex, unlike the standard's base64. (TikTok docs: Login Kit for
    Desktop.)
    """
    return hashlib.sha256(verifier.encode()).hexdigest()


def begin_login(
    manager: TokenManager, connection: Connection, redirect_uri: str, scopes: tuple[str, ...] = ()
) -> AuthorizationRequest:
    """Keep a pending login in the store, with its state and secrets, and return its request.

    Args:
        manager: For its config and store.
        connection: The connection, with its app.
        redirect_uri: As it is registered, byte for byte.
        scopes: What to ask for; empty for the token system's own choice.

    Raises:
        ConfigurationError: The connection has no app.
        StoreError: The store cannot keep the login.
    """
    app = connection.app
    if app is None:
        raise ConfigurationError("the app's credentials are missing")
    api = manager.api(connection)
    state = secrets.token_urlsafe(32)
    is_desktop = is_loopback(urlsplit(redirect_uri).hostname or "")
    verifier = new_verifier() if api.pkce and is_desktop else None
    challenge = challenge_of(verifier) if verifier else None
    url = api.authorize_url(app.app_id, redirect_uri, state, scopes=scopes, challenge=challenge)
    manager.store.begin_login(
        state,
        PendingLogin(
            connection=connection.name,
            api=connection.api,
            app_id=app.app_id,
            app_secret=app.secret,
            redirect_uri=redirect_uri,
            code_verifier=verifier,
            begun_at=manager.store.now(),
            origin=origin_of(api.data_host),
        ),
    )
    scopes = scopes or api.default_scopes
    return AuthorizationRequest(connection.name, url, state, redirect_uri, scopes)


def accept_response(manager: TokenManager, response: AuthorizationResponse) -> Connection:
    """Return the connection that a response's code starts; its pending login is over in any case.

    Raises:
        AuthorizationRequired: No login waits for the response, or the person said no.
        TikTokAuthError: TikTok says no; the error names the connection.
    """
    if response.error and not response.state:
        raise denial(response)
    login = manager.store.take_login(
        response.state or "", LIFETIME, manager.registry.refuse_other_host
    )
    if login is None and not is_our_state(response.state):
        raise AuthorizationRequired(
            "no login waits for that address: a link that is not ours led to it, such as the app's "
            "own in TikTok's portal",
            next_step="Run tiktok-auth login NAME and open the address that it shows, or set the "
            "code in it, decoded once, as the setting auth_code.",
        )
    if login is None:
        raise AuthorizationRequired(
            "no login waits for that address here: it was begun more than ten minutes ago, is "
            "finished already, or was begun with another token store",
            next_step="Begin again with: tiktok-auth login NAME",
        )
    app = App(login.app_id, login.app_secret)
    connection = Connection(login.connection, login.api, app, redirect_uri=login.redirect_uri)
    try:
        code = response.code_named(manager.api(connection).code_parameter)
    except TikTokAuthError as error:
        raise error.of(login.connection) from None
    configured = manager.config.connection(login.connection)
    return replace(
        connection,
        seed=Seed("auth_code", auth_code=code, code_verifier=login.code_verifier),
        advertiser_ids=configured.advertiser_ids if configured else (),
    )


class NotTheCallbackError(Exception):
    """A text is not the callback's address; the message tells a person why."""


@dataclass(frozen=True)
class AuthorizationResponse:
    """The parameters of an authorization response, each decoded once.

    Attributes:
        state: What the request sent along.
        auth_code: The code under the name of the advertisers' page.
        code: The code under OAuth's name.
        error: TikTok's name for what went wrong.
        description: TikTok's text about it; not checked.
    """

    state: str | None = field(default=None, repr=False)
    auth_code: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    error: str | None = None
    description: str | None = field(default=None, repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether it says yes or no to a request. A no may come without the state."""
        return bool(self.error or (self.state and (self.auth_code or self.code)))

    def belongs_to(self, state: str) -> bool:
        """Whether it answers the request of that *state*; each wrong one takes the same time."""
        own = (self.state or "").encode("utf-8", "surrogatepass")
        return hmac.compare_digest(own, state.encode())

    def code_named(self, parameter: str) -> str:
        """Return the code, under the name *parameter* if it is there, else under the other.

        Raises:
            TikTokAuthError: TikTok says no, or the code cannot be one.
        """
        if self.error:
            raise denial(self)
        if parameter == "code":
            code = self.code or self.auth_code or ""
        else:
            code = self.auth_code or self.code or ""
        if not _CODE.fullmatch(code):
            raise AuthorizationRequired("the code in the callback is damaged", next_step=_AGAIN)
        return code


def denial(response: AuthorizationResponse) -> TikTokAuthError:
    """Return the error that TikTok's refusal on the consent page means."""
    name = clean_id(response.error)
    kind, cause, next_step = _DENIALS.get(
        name or "", (AuthorizationRequired, "TikTok's consent page ended with an error", _OTHER)
    )
    said = clean_message(response.description, limit=160).strip().rstrip(".")
    if said:
        cause = f'{cause}: "{said}"'
    return kind(cause, next_step=next_step, code=None if name == "access_denied" else name)


def is_our_state(state: str | None) -> bool:
    """Whether a login of ours may have sent that state; the portal's links have a fixed text."""
    return _STATE.fullmatch(state or "") is not None


def read_query(query: str) -> AuthorizationResponse:
    """Read the query of a callback's address.

    Raises:
        NotTheCallbackError: A parameter stands there twice, or there are too many.
    """
    try:
        found = parse_qs(query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise NotTheCallbackError("It has too many parameters.") from None
    names = ("state", "auth_code", "code", "error", "error_description")
    if any(len(found.get(name, ())) > 1 for name in names):
        raise NotTheCallbackError("A parameter stands there twice.")
    return AuthorizationResponse(*(found.get(name, [None])[0] for name in names))


def read_address(text: str, request: AuthorizationRequest | None = None) -> AuthorizationResponse:
    """Read an address that a person pasted.

    Args:
        text: What was pasted; blanks, quotes and angle brackets around it do no harm.
        request: The request that it must answer, if that is known here. A refusal counts without
            a state: nothing is given away by it.

    Raises:
        NotTheCallbackError: It is something else; the message says what to paste.
    """
    address = text.strip().strip("'\"<>").strip()
    if not address.lower().startswith(("http://", "https://")):
        raise NotTheCallbackError(
            "That is not an address. Copy the whole address from the browser, from http on."
        )
    try:
        parts = urlsplit(address)
        origin = _origin(parts)
        is_elsewhere = request is not None and origin != _origin(urlsplit(request.redirect_uri))
    except ValueError:
        raise NotTheCallbackError("That address is damaged. Copy it once more.") from None
    if parts.path.startswith(PAGE_PATHS):
        ours = is_our_state(parse_qs(parts.query).get("state", [""])[0])
        raise NotTheCallbackError(
            "That is the address of the consent page itself. Allow the access there first, then "
            "copy the address of the page that follows."
            if ours
            else f"That is the consent page itself, by the link of TikTok's portal. {_FOREIGN}"
        )
    if request is not None and is_elsewhere:
        raise NotTheCallbackError(
            "That is the address of another page. The one to copy begins with "
            f"{request.redirect_uri}"
        )
    response = read_query(parts.query)
    if not (response.error or response.auth_code or response.code):
        raise NotTheCallbackError(
            "That address carries no code. Copy the whole address, right after the consent."
        )
    if not response.state and not response.error:
        raise NotTheCallbackError(
            "That address carries no state. If it is whole, a link that is not ours led there: "
            f"that of TikTok's portal, for example. {_FOREIGN}"
        )
    if request is not None and response.error and not response.state:
        return replace(response, state=request.state)
    if request is not None and not response.belongs_to(request.state):
        raise NotTheCallbackError(
            "That address belongs to another login, an older one perhaps. Allow the access on the "
            "page whose address is shown above (the app's own link in TikTok's portal belongs to "
            "no login), then copy the address of the page that follows."
        )
    return response


def _origin(parts: SplitResult) -> tuple[str | None, int | None]:
    # Browsers leave a scheme's own port out.
    return parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
