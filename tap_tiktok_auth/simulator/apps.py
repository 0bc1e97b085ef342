"""Developer apps, and which redirect URIs they may use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_tiktok_auth.simulator.grants import (
    ACCOUNT_HOLDER,
    LOGIN_KIT,
    PAGE_OF,
    PORTAL,
    SimulatedApp,
)

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator.mint import Mint

LOOPBACK = frozenset({"localhost", "127.0.0.1"})

# A star stands for any port. TikTok has it for Login Kit desktop apps. For the portal it stands for
# having registered the loopback address that one happens to use, unless one is registered for that
# very host and port. The path is free in both.
_ANY_PORT = [f"{scheme}://{host}:*/*" for scheme in ("http", "https") for host in sorted(LOOPBACK)]
_REGISTERED = {
    PORTAL: ["https://example.com/callback/", *_ANY_PORT],
    ACCOUNT_HOLDER: ["https://example.com/tiktok/"],
    LOGIN_KIT: ["https://example.com/login/", *_ANY_PORT],
}


@dataclass(eq=False)
class App:
    """A developer app: one on the API for Business, or one of Login Kit.

    Attributes:
        app_id: App id or client key.
        secret: App secret or client secret.
        name: What the consent page calls it.
        platform: ``business`` or ``login_kit``.
        redirect_uris: Registered redirect URIs by consent page.
    """

    app_id: str
    secret: str = field(repr=False)
    name: str
    platform: str
    redirect_uris: dict[str, list[str]]


class AppDirectory:
    """All apps, made when they are first asked for."""

    def __init__(self, mint: Mint) -> None:
        self._mint = mint
        self._by_name: dict[tuple[str, str], App] = {}
        self._by_id: dict[str, App] = {}

    def named(self, api: str, name: str = "Simulated App") -> App:
        """Return the app of that name on the platform of *api*.

        Raises:
            ValueError: If *api* is no token system.
        """
        if api not in PAGE_OF:
            raise ValueError(f"unknown api {api!r}; known are {', '.join(PAGE_OF)}")
        platform = "login_kit" if api == "login_kit" else "business"
        if (platform, name) not in self._by_name:
            app = self._make(platform, name)
            self._by_name[platform, name] = app
            self._by_id[app.app_id] = app
        return self._by_name[platform, name]

    def by_id(self, app_id: str) -> App | None:
        """Return the app with that id or client key."""
        return self._by_id.get(app_id)

    def face(self, api: str, name: str = "Simulated App") -> SimulatedApp:
        """Return the app of that name as *api* sees it."""
        app = self.named(api, name)
        return SimulatedApp(api, app.app_id, app.secret, app.redirect_uris[PAGE_OF[api]][0])

    def _make(self, platform: str, name: str) -> App:
        if platform == "login_kit":
            pages = [LOGIN_KIT]
            app_id, secret = f"aw{self._mint.text(14)}".lower(), self._mint.text(32)
        else:
            pages = [PORTAL, ACCOUNT_HOLDER]
            app_id, secret = self._mint.number(19), self._mint.text(40, "0123456789abcdef")
        redirect_uris = {page: list(_REGISTERED[page]) for page in pages}
        return App(app_id, secret, name, platform, redirect_uris)


def redirect_problem(page: str, redirect_uri: str, registered: list[str]) -> str | None:
    """Say what is wrong with a redirect URI, or return ``None``.

    TikTok docs: redirect rules of the account holder page (https, no query, no fragment, no port,
    10 to 512 characters; the slash at the end that it asks for is not enforced), of Login Kit web
    (https, no query, no fragment, less than 512 characters) and desktop (localhost or 127.0.0.1,
    with a port).
    """
    try:
        uri = urlsplit(redirect_uri)
        port = uri.port
    except ValueError:
        return "The redirect_uri is not a URL."
    rule = _broken_rule(page, redirect_uri, port)
    if rule is None and not _is_registered(redirect_uri, registered):
        rule = "is not registered for this app."
    return None if rule is None else f"The redirect_uri {rule}"


def _broken_rule(page: str, redirect_uri: str, port: int | None) -> str | None:
    uri = urlsplit(redirect_uri)
    loopback = uri.hostname in LOOPBACK
    desktop = page == LOGIN_KIT and loopback
    rules = [
        (any(not "!" <= sign <= "~" for sign in redirect_uri), "must be plain ASCII."),
        (uri.scheme not in {"http", "https"} or not uri.hostname, "must be an absolute URL."),
        (uri.scheme != "https" and not (loopback and page != ACCOUNT_HOLDER), "must be https."),
        ("@" in uri.netloc, "must not carry a user name."),
        ("#" in redirect_uri, "must not have a fragment."),
        (page != PORTAL and "?" in redirect_uri, "must not have a query."),
        (page != PORTAL and not 10 <= len(redirect_uri) <= 512, "has the wrong length."),
        (page == ACCOUNT_HOLDER and port is not None, "must not have a port."),
        (desktop and port is None, "needs a port on a loopback host."),
    ]
    return next((text for broken, text in rules if broken), None)


def _is_registered(redirect_uri: str, registered: list[str]) -> bool:
    """Compare byte for byte, a star aside."""
    exact = [entry for entry in registered if "*" not in entry]
    authority = urlsplit(redirect_uri).netloc.lower()
    if any(urlsplit(entry).netloc.lower() == authority for entry in exact):
        return redirect_uri in exact
    # An entry such as http://localhost:*/* or http://localhost:*/callback/.
    for entry in registered:
        pattern = re.escape(entry).replace(r":\*", ":[0-9]+").replace(r"/\*", "([/?].*)?")
        if re.fullmatch(pattern, redirect_uri):
            return True
    return False
