"""The person's browser: whether there is one, opening it, and what a login shows in it."""

from __future__ import annotations

import base64
import hashlib
import sys
import webbrowser
from html import escape
from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import completed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def has_browser(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser window can be opened where the person sits.

    A browser of the terminal does not count: it would cover what the login says.
    """
    if environ.get("BROWSER"):
        return True
    if platform in {"darwin", "win32"}:
        return "SSH_CONNECTION" not in environ
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def is_elsewhere(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether the person's browser is most likely on another machine: ssh without a window."""
    return "SSH_CONNECTION" in environ and not has_browser(environ, platform)


def open_browser(url: str, environ: Mapping[str, str]) -> bool:
    """Open *url* in the person's browser; False if there is none or it does not start."""
    try:
        return has_browser(environ) and webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


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
#: Each page: its title, and its content from the second line on.
_PAGES = {
    "connected": """Connected
<p>TikTok is connected as <strong id="name">{name}</strong>.</p>
<dl>{facts}</dl>
<p class="note">You can close this page and go back to the terminal.</p>""",
    "asked": """One question left
<p>You may not be the account that <strong>{name}</strong> belonged to before.
The terminal asks whether to keep the login.</p>""",
    "denied": """Not connected
<p>The access was denied, so nothing has changed.</p>
<p>If that was a mistake, run this again:</p><p><code>{command}</code></p>""",
    "failed": """Not connected
<p>It did not work: <span id="cause">{cause}</span>.</p>
<p>The terminal says more. To try again:</p><p><code>{command}</code></p>""",
    "other_login": """This belongs to another login
<p>The page that you come from was not opened by the login that is waiting on this machine, so it
was not used. Nothing has changed.</p>
<p>The login still waits: open the address that the terminal shows.</p>""",
    "opened_already": """Opened already
<p>Another browser has opened this login before. If that was not you, it was somebody else on this
machine: the login is over, and nothing has changed.</p>
<p>The terminal says more.</p>""",
    "not_opened_here": """Not opened here
<p>This browser did not open the login's start page, so its answer was not taken.</p>
<p>If it was you who allowed the access: copy the address of this page from the address bar, and
paste it into the terminal.</p>""",
    "unfinished": """Still working
<p>TikTok has not answered yet. The terminal shows how it ends.</p>""",
    "nothing_here": """Nothing here
<p>This address only takes the answer of a TikTok login.</p>""",
}


def page(
    kind: str, name: str = "", cause: str = "", facts: Iterable[tuple[str, str]] = ()
) -> bytes:
    """Return a page for the browser, with all texts escaped.

    Args:
        kind: A key of the table above.
        name: The connection.
        cause: Why the login failed.
        facts: Who authorised and what they granted, as labels and texts of one line or more.
    """
    title, _, content = _PAGES[kind].partition("\n")
    content = content.format(
        name=escape(name),
        cause=escape(cause),
        command=escape(completed(f"tiktok-auth login {name}")),
        facts="".join(f"<dt>{escape(label)}</dt><dd>{escape(text)}</dd>" for label, text in facts),
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title} - tiktok-auth</title><style>{_STYLE}</style></head>"
        f'<body><main class="{"good" if kind == "connected" else "bad"}"><h1>{title}</h1>'
        f"{content}</main></body></html>"
    ).encode()
