"""The HTML of the consent pages. Every string that comes from outside is escaped here."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:1.5rem;display:flex;justify-content:center}
main{width:100%;max-width:26rem}
h1{font-size:1.3rem;line-height:1.3;margin:.25rem 0 1rem;overflow-wrap:anywhere}
.note{font-size:.85rem;opacity:.75;margin:.5rem 0 0}
fieldset{border:1px solid #8886;border-radius:.6rem;margin:0 0 1rem;padding:.5rem 1rem .75rem}
legend{font-weight:600;padding:0 .4rem}
label{display:flex;gap:.7rem;align-items:center;padding:.45rem 0;overflow-wrap:anywhere}
input{width:1.2rem;height:1.2rem;flex:none}
ul{margin:.25rem 0;padding-left:1.2rem;overflow-wrap:anywhere}
.warn{border-left:4px solid #c33;padding-left:.75rem}
.row{display:flex;gap:.75rem}
button{flex:1;font:inherit;font-weight:600;padding:.8rem;border-radius:.6rem;cursor:pointer;
border:1px solid #8888;background:transparent;color:inherit}
#allow{background:#0b5fff;border-color:#0b5fff;color:#fff}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


@dataclass(frozen=True)
class Ask:
    """What the page tells the person.

    Attributes:
        app_name: Who asks.
        permissions: What for.
        redirect_origin: Where the browser goes afterwards.
    """

    app_name: str
    permissions: Sequence[str]
    redirect_origin: str


@dataclass(frozen=True)
class Choice:
    """One line that can be ticked.

    Attributes:
        field: Name of the form field.
        value: Its value.
        label: What the person reads.
        checked: Whether it is ticked at first.
        several: Whether more than one may be ticked.
    """

    field: str
    value: str
    label: str
    checked: bool
    several: bool


def headers(redirect_origin: str | None = None) -> dict[str, str]:
    """Return the security headers of a page.

    Args:
        redirect_origin: Where the form's answer redirects to; browsers hold ``form-action``
            against that too.
    """
    targets = " ".join(["'self'", *([redirect_origin] if redirect_origin else [])])
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {targets}; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def consent_page(ask: Ask, csrf: str, choices: Sequence[Choice], problem: str = "") -> bytes:
    """Return the page on which a person allows or denies.

    Args:
        ask: Who asks for what.
        csrf: Comes back with the form; only this page knows it.
        choices: The accounts to choose from.
        problem: Why the page is shown again.
    """
    lines = "".join(map(_choice, choices))
    asked = "".join(f"<li>{escape(scope)}</li>" for scope in ask.permissions)
    warning = f'<p class="warn" id="problem">{escape(problem)}</p>' if problem else ""
    return _page(
        "Authorize - TikTok simulator",
        f"""<h1>{escape(ask.app_name)} asks for access</h1>{warning}
<form method="post"><input type="hidden" name="csrf" value="{escape(csrf)}">
<fieldset><legend>Accounts</legend>{lines}</fieldset>
<fieldset><legend>Permissions</legend><ul>{asked}</ul></fieldset>
<div class="row"><button id="deny" name="decision" value="deny">Deny</button>
<button id="allow" name="decision" value="allow">Allow</button></div>
<p class="note">Both lead back to {escape(ask.redirect_origin)}</p></form>""",
    )


def error_page(reason: str) -> bytes:
    """Return the page that a person sees when the link itself is wrong."""
    return _page(
        "Error - TikTok simulator",
        f'<h1>This link does not work</h1><p class="warn" id="error">{escape(reason)}</p>',
    )


def _choice(choice: Choice) -> str:
    kind = "checkbox" if choice.several else "radio"
    checked = " checked" if choice.checked else ""
    return (
        f'<label><input type="{kind}" name="{escape(choice.field)}" '
        f'value="{escape(choice.value)}"{checked}>{escape(choice.label)}</label>'
    )


def _page(title: str, content: str) -> bytes:
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        '<p class="note">TikTok simulator: nothing here reaches TikTok</p>'
        f"{content}</main></body></html>"
    ).encode()
