"""Which callback address a login uses, and whether this machine can listen on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.network import is_loopback

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import TokenApi

#: The port of the callback when no setting and no option gives one. Fixed, because TikTok wants
#: callback addresses registered.
DEFAULT_PORT = 8917
_PATH = "/callback/"
#: The names under which a browser finds a listener on this machine.
LISTENABLE = frozenset({"localhost", "127.0.0.1"})


@dataclass(frozen=True)
class CallbackAddress:
    """Where TikTok sends the browser after the consent.

    Attributes:
        uri: The redirect URI. TikTok compares it byte for byte, so it is never written anew.
        port: The port to listen on; None if the browser does not come back to this machine, so
            that its address must be pasted.
    """

    uri: str
    port: int | None

    @property
    def host(self) -> str:
        """The host of the address, in lower case."""
        return urlsplit(self.uri).hostname or ""

    @property
    def path(self) -> str:
        """The path that a browser asks for when it is sent there."""
        return urlsplit(self.uri).path or "/"

    @property
    def is_loopback(self) -> bool:
        """Whether TikTok takes it for the address of a desktop app."""
        return is_loopback(self.host)


def default_address(api: TokenApi, port: int | None = None) -> CallbackAddress:
    """Return the loopback address that a login uses when no setting gives one.

    TikTok documents which name it may have. (TikTok docs: authorization; Login Kit for Desktop.)
    """
    port = port or DEFAULT_PORT
    return CallbackAddress(f"http://{api.loopback_host}:{port}{_PATH}", port)


def choose_address(api: TokenApi, registered: str | None, port: int | None) -> CallbackAddress:
    """Return the callback address of a login.

    Args:
        api: The token system.
        registered: The setting `redirect_uri`. A `*` as its port stands for any, as in TikTok's
            list of registered addresses.
        port: The port that the person wants to listen on.

    Raises:
        ConfigurationError: TikTok would refuse the address, or there is none.
    """
    if api.loopback_host is None:
        if port is not None:
            raise ConfigurationError(
                f"TikTok allows api {api.name} no callback to this machine, so no port either",
                next_step="Leave --port out.",
            )
        if registered is None:
            raise ConfigurationError(
                f"setting redirect_uri is missing, api {api.name} needs it",
                next_step="Set it to the address that is registered for the app.",
            )
        check_account_holder_address(registered)
        return CallbackAddress(registered, None)
    if registered is None:
        return default_address(api, port)
    parts = _split(registered)
    if parts.scheme == "http" and parts.hostname in LISTENABLE:
        return _on_loopback(registered, parts, port)
    return CallbackAddress(registered, None) if port is None else default_address(api, port)


def check_account_holder_address(uri: str) -> str | None:
    """Check a callback address against the rules of TikTok's page for account holders.

    TikTok docs, TikTok account holder authorization: https, a slash at the end, no query, no
    fragment, no port, 10 to 512 characters. Addresses without the slash are in use all the same.

    Returns:
        What the person should know about an address that TikTok may take.

    Raises:
        ConfigurationError: TikTok would refuse it.
    """
    parts = _split(uri)
    broken = (
        (parts.scheme != "https", "must begin with https://"),
        (":" in parts.netloc, "must have no port"),
        ("?" in uri or "#" in uri, "must have no query and no fragment"),
        (not 10 <= len(uri) <= 512, "must have 10 to 512 characters"),
    )
    problem = next((text for is_broken, text in broken if is_broken), None)
    if problem is not None:
        raise _wrong(f"{problem}, for TikTok's page for account holders")
    if uri.endswith("/"):
        return None
    return (
        "setting redirect_uri must end with a slash, by TikTok's rules for account holders; "
        "without one it works if it is registered exactly so"
    )


def _on_loopback(registered: str, parts: SplitResult, port: int | None) -> CallbackAddress:
    host, _, own = parts.netloc.partition(":")
    port = port or (DEFAULT_PORT if own == "*" else parts.port)
    if not port:  # registered without a port, and port 80 is not for ordinary programs
        return CallbackAddress(registered, None)
    if own == "*" or port != parts.port:
        registered = registered.replace(parts.netloc, f"{host}:{port}", 1)
    return CallbackAddress(registered, port)


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
        if not parts.netloc.endswith(":*"):
            _ = parts.port
    except ValueError:
        raise _wrong("is not an address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _wrong("must be an http or https address")
    if parts.username is not None or any(char.isspace() or char == "\\" for char in uri):
        raise _wrong("must have no user, space or backslash")
    return parts


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"setting redirect_uri {problem}",
        next_step="Write it as it is registered for the app.",
    )
