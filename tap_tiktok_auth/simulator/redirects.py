"""Consent pages, and the redirect URIs that each of them takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

HOUR = 3_600
DAY = 86_400
LOOPBACK = frozenset({"localhost", "127.0.0.1"})

# A star stands for any port. TikTok has it for Login Kit desktop apps. For the portal it stands for
# having registered the loopback address that one happens to use, unless one is registered for that
# very host and port. The path is free in both.
_ANY_PORT = tuple(f"{s}://{host}:*/*" for s in ("http", "https") for host in sorted(LOOPBACK))


@dataclass(frozen=True, eq=False)
class ConsentPage:
    """A page on which a person authorises an app, and the lifetimes of what comes of it.

    TikTok docs: auth_code of the portal one hour; code of the account holder page ten minutes;
    Accounts API one day and one year; Login Kit (November 2026) two hours and 180 days.

    Attributes:
        platform: Whose apps it knows: ``business`` or ``login_kit``.
        code_lifetime: Seconds; so are the others.
        refresh_lifetime: How long a consent can be refreshed.
        refresh_renews: Whether each refresh starts that time anew.
        redirect_uris: Those that each simulated app has registered.
    """

    platform: str
    code_lifetime: int
    access_lifetime: int
    refresh_lifetime: int
    redirect_uris: tuple[str, ...]
    refresh_renews: bool = False


PORTAL = ConsentPage(
    "business", HOUR, DAY, 365 * DAY, ("https://example.com/callback/", *_ANY_PORT)
)
ACCOUNT_HOLDER = ConsentPage("business", 600, DAY, 365 * DAY, ("https://example.com/tiktok/",))
LOGIN_KIT = ConsentPage(
    "login_kit",
    code_lifetime=600,
    access_lifetime=2 * HOUR,
    refresh_lifetime=180 * DAY,
    redirect_uris=("https://example.com/login/", *_ANY_PORT),
    refresh_renews=True,
)


def redirect_problem(page: ConsentPage, redirect_uri: str, registered: list[str]) -> str | None:
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
    loopback = uri.hostname in LOOPBACK
    rules = [
        (any(not "!" <= sign <= "~" for sign in redirect_uri), "must be plain ASCII."),
        (uri.scheme not in {"http", "https"} or not uri.hostname, "must be an absolute URL."),
        (uri.scheme != "https" and not (loopback and page != ACCOUNT_HOLDER), "must be https."),
        ("@" in uri.netloc, "must not carry a user name."),
        ("#" in redirect_uri, "must not have a fragment."),
        (page != PORTAL and "?" in redirect_uri, "must not have a query."),
        (page != PORTAL and not 10 <= len(redirect_uri) <= 512, "has the wrong length."),
        (page == ACCOUNT_HOLDER and port is not None, "must not have a port."),
        (page == LOGIN_KIT and loopback and port is None, "needs a port on a loopback host."),
        (not _is_registered(redirect_uri, registered), "is not registered for this app."),
    ]
    return next((f"The redirect_uri {text}" for broken, text in rules if broken), None)


def _is_registered(redirect_uri: str, registered: list[str]) -> bool:
    """Compare byte for byte, a star aside."""
    exact = [entry for entry in registered if "*" not in entry]
    authority = urlsplit(redirect_uri).netloc.lower()
    if any(urlsplit(entry).netloc.lower() == authority for entry in exact):
        return redirect_uri in exact
    # An entry such as http://localhost:*/* or http://localhost:*/callback/.
    patterns = (
        re.escape(entry).replace(r":\*", ":[0-9]+").replace(r"/\*", "([/?].*)?")
        for entry in registered
    )
    return any(re.fullmatch(pattern, redirect_uri) for pattern in patterns)
