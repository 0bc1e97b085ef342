"""The pages that the browser shows at the end of a login. Foreign texts are escaped here."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import completed

if TYPE_CHECKING:
    from collections.abc import Iterable

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:2.5rem 1.5rem;display:flex;
justify-content:center}
main{width:100%;max-width:30rem}
h1{font-size:1.4rem;line-height:1.3;margin:0 0 .75rem;padding-left:.8rem;border-left:5px solid}
.good h1{border-color:#1a7f4b}
.bad h1{border-color:#c33}
p{margin:.5rem 0;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:minmax(6rem,auto) 1fr;gap:.35rem 1rem;margin:1.25rem 0;
padding:1rem;border:1px solid #8886;border-radius:.6rem}
dt{opacity:.7}
dd{margin:0;overflow-wrap:anywhere;white-space:pre-line}
@media(max-width:30rem){body{padding-top:1.5rem}dl{display:block}dd+dt{margin-top:.75rem}}
code{font:.9em ui-monospace,monospace;background:#8882;border-radius:.3rem;padding:.15rem .35rem;
overflow-wrap:anywhere}
.note{font-size:.9rem;opacity:.75}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: The headers of every page: nothing is loaded, framed, kept or told to other pages.
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def connected(name: str, facts: Iterable[tuple[str, str]]) -> bytes:
    """Return the page after a login that went well.

    Args:
        name: The connection.
        facts: Who authorised and what they granted, as labels and texts of one line or more.
    """
    lines = "".join(f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in facts)
    return _page(
        "Connected",
        f'<p>TikTok is connected as <strong id="name">{escape(name)}</strong>.</p>'
        f"<dl>{lines}</dl>"
        '<p class="note">You can close this page and go back to the terminal.</p>',
        good=True,
    )


def asked(name: str) -> bytes:
    """Return the page for a login that waits for an answer in the terminal."""
    return _page(
        "One question left",
        f"<p>You may not be the account that <strong>{escape(name)}</strong> belonged to before. "
        "The terminal asks whether to keep the login.</p>",
    )


def denied(name: str) -> bytes:
    """Return the page for a person who said no."""
    return _page(
        "Not connected",
        "<p>The access was denied, so nothing has changed.</p>"
        f"<p>If that was a mistake, run this again:</p><p><code>{_command(name)}</code></p>",
    )


def failed(name: str, cause: str) -> bytes:
    """Return the page for a login that TikTok or this machine did not finish."""
    return _page(
        "Not connected",
        f'<p>It did not work: <span id="cause">{escape(cause)}</span>.</p>'
        f"<p>The terminal says more. To try again:</p><p><code>{_command(name)}</code></p>",
    )


def wrong_state() -> bytes:
    """Return the page for a callback that answers another login than the one that waits."""
    return _page(
        "This belongs to another login",
        "<p>The page that you come from was not opened by the login that is waiting on this "
        "machine, so it was not used. Nothing has changed.</p>"
        "<p>The login still waits: open the address that the terminal shows.</p>",
    )


def opened_already() -> bytes:
    """Return the page for the second browser that opens the start page."""
    return _page(
        "Opened already",
        "<p>Another browser has opened this login before. If that was not you, it was somebody "
        "else on this machine: the login is over, and nothing has changed.</p>"
        "<p>The terminal says more.</p>",
    )


def not_started_here() -> bytes:
    """Return the page for a callback to a browser that has not opened the start page."""
    return _page(
        "Not opened here",
        "<p>This browser did not open the login's start page, so its answer was not taken.</p>"
        "<p>If it was you who allowed the access: copy the address of this page from the address "
        "bar, and paste it into the terminal.</p>",
    )


def unfinished() -> bytes:
    """Return the page for a login whose end takes long."""
    return _page(
        "Still working",
        "<p>TikTok has not answered yet. The terminal shows how it ends.</p>",
    )


def nothing_here() -> bytes:
    """Return the page for all other addresses."""
    return _page("Nothing here", "<p>This address only takes the answer of a TikTok login.</p>")


def _command(name: str) -> str:
    return escape(completed(f"tiktok-auth login {name}"))


def _page(title: str, content: str, *, good: bool = False) -> bytes:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)} - tiktok-auth</title><style>{_STYLE}</style></head>"
        f'<body><main class="{"good" if good else "bad"}"><h1>{escape(title)}</h1>'
        f"{content}</main></body></html>"
    ).encode()
