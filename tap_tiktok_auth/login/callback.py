"""What comes back from the consent page, to the listener or through the clipboard."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, urlsplit

from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    ConfigurationError,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.redaction import clean_id, clean_message

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


class NotTheCallbackError(Exception):
    """A text is not the callback's address; the message tells a person why."""


@dataclass(frozen=True)
class Callback:
    """The parameters that TikTok put into the callback's address, each decoded once.

    Attributes:
        state: What the login sent along.
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
    def is_answer(self) -> bool:
        """Whether it says yes or no to a login. A no may come without the state."""
        return bool(self.error or (self.state and (self.auth_code or self.code)))

    def belongs_to(self, state: str) -> bool:
        """Whether it answers the login of that *state*; takes the same time for each wrong one."""
        given = (self.state or "").encode("utf-8", "surrogatepass")
        return hmac.compare_digest(given, state.encode())

    def code_named(self, parameter: str) -> str:
        """Return the code, under the name *parameter* if it is there, else under the other.

        Raises:
            TikTokAuthError: TikTok says no, or the code cannot be one.
        """
        if self.error:
            raise denial(self)
        first, second = (self.auth_code, self.code)
        if parameter == "code":
            first, second = second, first
        code = first or second or ""
        if not _CODE.fullmatch(code):
            raise AuthorizationRequired("the code in the callback is damaged", next_step=_AGAIN)
        return code


def denial(callback: Callback) -> TikTokAuthError:
    """Return what TikTok's refusal on the consent page means."""
    name = clean_id(callback.error)
    kind, cause, next_step = _DENIALS.get(
        name or "", (AuthorizationRequired, "TikTok's consent page ended with an error", _OTHER)
    )
    said = clean_message(callback.description, limit=160).strip().rstrip(".")
    if said:
        cause = f'{cause}: "{said}"'
    return kind(cause, next_step=next_step, code=None if name == "access_denied" else name)


def read_query(query: str) -> Callback:
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
    state, auth_code, code, error, description = (found.get(name, [None])[0] for name in names)
    return Callback(state, auth_code, code, error, description)


def read_address(text: str, redirect_uri: str | None = None) -> Callback:
    """Read an address that a person pasted.

    Args:
        text: What was pasted; blanks, quotes and angle brackets around it do no harm.
        redirect_uri: Where TikTok sent the browser, if known here.

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
        wanted = urlsplit(redirect_uri) if redirect_uri else parts
        elsewhere = _origin(parts) != _origin(wanted)
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
    if elsewhere:
        raise NotTheCallbackError(
            f"That is the address of another page. The one to copy begins with {redirect_uri}"
        )
    callback = read_query(parts.query)
    if not (callback.is_answer or callback.auth_code or callback.code):
        raise NotTheCallbackError(
            "That address carries no code. Copy the whole address, right after the consent."
        )
    if not callback.state and not callback.error:
        raise NotTheCallbackError(
            "That address carries no state. If it is whole, a link that is not ours led there: "
            f"that of TikTok's portal, for example. {_FOREIGN}"
        )
    return callback


def is_our_state(state: str | None) -> bool:
    """Whether a login of ours may have sent that state; the portal's links have a fixed text."""
    return _STATE.fullmatch(state or "") is not None


def _origin(parts: SplitResult) -> tuple[str | None, int | None]:
    # Browsers leave a scheme's own port out.
    return parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
