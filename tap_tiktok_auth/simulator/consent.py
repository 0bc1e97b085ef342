"""The two consent pages: ``/portal/auth`` and ``/v2/auth/authorize/``."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import defaultdict
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from tap_tiktok_auth.simulator import fixtures
from tap_tiktok_auth.simulator.envelopes import HTML, Answer, Malformed, form_fields
from tap_tiktok_auth.simulator.model import ConsentRequest
from tap_tiktok_auth.simulator.redirects import (
    ACCOUNT_HOLDER,
    LOGIN_KIT,
    LOOPBACK,
    PORTAL,
    ConsentPage,
    redirect_problem,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_tiktok_auth.simulator.model import App, Grant, Model

PORTAL_PATH = "/portal/auth"
AUTHORIZE_PATH = "/v2/auth/authorize/"

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

_CHALLENGE = re.compile(r"[0-9a-f]{64}")
_MOST_PENDING = 1_000
_KNOWN_SCOPES = {
    ACCOUNT_HOLDER: {*fixtures.ACCOUNT_SCOPES, *fixtures.MORE_ACCOUNT_SCOPES},
    LOGIN_KIT: {*fixtures.LOGIN_KIT_SCOPES, *fixtures.MORE_LOGIN_KIT_SCOPES},
}


class _WrongLinkError(Exception):
    """The link that brought the person here is wrong; the text says why."""


def show(model: Model, path: str, query: Mapping[str, str]) -> Answer:
    """Answer who follows a link to a consent page."""
    try:
        return _show(model, _read(model, path, query))
    except _WrongLinkError as wrong:
        return _error_page(str(wrong))


def decide(model: Model, content_type: str, body: bytes) -> Answer:
    """Take the decision that the form of a page sends."""
    form: defaultdict[str, list[str]] = defaultdict(list)
    try:
        for name, value in form_fields(content_type, body):
            form[name].append(value)
    except Malformed as malformed:
        return _error_page(str(malformed))
    asked = model.pending.pop("".join(form["csrf"]), None)
    if asked is None:
        return _error_page("This page is out of date. Open the link again.")
    if form["decision"] != ["allow"]:
        description = "The user denied the authorization."
        denied = {"error": "access_denied", "error_description": description}
        return _redirect(asked, denied, "denied")
    if asked.page is PORTAL:
        advertisers = [a for a in form["advertiser"] if a in fixtures.ADVERTISERS]
        brands = [b for b in form["tcm_account"] if b in fixtures.BRANDS]
        if not advertisers and not brands:
            return _show(model, asked, "Choose at least one account.")
        return _allow(model, asked, _subject(model, asked.app, ""), advertisers, brands)
    account = "".join(form["account"])
    if account not in fixtures.ACCOUNTS:
        return _show(model, asked, "Choose an account.")
    return _allow(model, asked, _subject(model, asked.app, account))


def _read(model: Model, path: str, query: Mapping[str, str]) -> ConsentRequest:
    """Check the query of a link."""
    portal = path == PORTAL_PATH
    name = "app_id" if portal else "client_key"
    app = model.app_by_id(query.get(name, ""), "business")
    page = PORTAL if portal else ACCOUNT_HOLDER
    if app is None and not portal:
        app, page = model.app_by_id(query.get(name, ""), "login_kit"), LOGIN_KIT
    if app is None:
        raise _WrongLinkError(f"The {name} is missing or unknown.")
    redirect_uri = query.get("redirect_uri", "")
    problem = redirect_problem(page, redirect_uri, app.redirect_uris[page])
    if problem is not None:
        raise _WrongLinkError(problem)
    if not portal and query.get("response_type") != "code":
        raise _WrongLinkError("The response_type must be code.")
    return ConsentRequest(
        page=page,
        app=app,
        redirect_uri=redirect_uri,
        state=query.get("state"),
        scopes=_portal_scopes(query) if portal else _scopes(page, query),
        code_challenge=_challenge(redirect_uri, query) if page is LOGIN_KIT else None,
        skip=not portal and query.get("disable_auto_auth") == "0",
    )


def _portal_scopes(query: Mapping[str, str]) -> tuple[str, ...]:
    offered = (*fixtures.MARKETING_SCOPES, *fixtures.BRAND_SCOPES)
    if not query.get("scope"):  # TikTok docs: without a scope, all permissions of the app
        return offered
    try:
        wanted = json.loads(query["scope"])
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, list) or any(str(scope) not in offered for scope in wanted):
        raise _WrongLinkError(f"The scope must be a JSON list of these: {', '.join(offered)}.")
    return tuple(map(str, wanted))


def _scopes(page: ConsentPage, query: Mapping[str, str]) -> tuple[str, ...]:
    scopes = tuple(scope for scope in query.get("scope", "").split(",") if scope)
    unknown = [scope for scope in scopes if scope not in _KNOWN_SCOPES[page]]
    if not scopes or unknown:
        raise _WrongLinkError(
            f"The scope is wrong: {', '.join(unknown)}." if unknown else "A scope is missing."
        )
    return scopes


def _challenge(redirect_uri: str, query: Mapping[str, str]) -> str | None:
    challenge = query.get("code_challenge")
    if challenge is None and urlsplit(redirect_uri).hostname not in LOOPBACK:
        return None
    if challenge is None or _CHALLENGE.fullmatch(challenge) is None:
        raise _WrongLinkError(
            "The code_challenge must be the SHA-256 of the code_verifier in hex, 64 digits."
        )
    if query.get("code_challenge_method") != "S256":
        raise _WrongLinkError("The code_challenge_method must be S256.")
    return challenge


def _show(model: Model, asked: ConsentRequest, problem: str = "") -> Answer:
    before = _allowed_before(model, asked) if asked.skip else None
    if before is not None:
        return _allow(model, asked, before.subject)
    csrf = model.ids.text(40)
    while len(model.pending) >= _MOST_PENDING:
        del model.pending[next(iter(model.pending))]
    model.pending[csrf] = asked
    return _consent_page(asked, csrf, problem)


def _allowed_before(model: Model, asked: ConsentRequest) -> Grant | None:
    for grant in reversed(model.allowed):
        same_app = grant.app_id == asked.app.app_id and not grant.revoked
        if same_app and set(asked.scopes) <= set(grant.scopes):
            return grant
    return None


def _subject(model: Model, app: App, account: str) -> str:
    """Return who an account is to an app: the same each time."""
    key = (app.app_id, account)
    if key not in model.subjects:
        model.subjects[key] = model.ids.open_id() if account else model.ids.number(19)
    return model.subjects[key]


def _allow(
    model: Model,
    asked: ConsentRequest,
    subject: str,
    advertisers: Sequence[str] = (),
    brands: Sequence[str] = (),
) -> Answer:
    scopes = asked.scopes
    if asked.page is PORTAL:
        api = "marketing" if advertisers else "creator_marketplace"
        scopes = tuple(s for s in scopes if brands or s not in fixtures.BRAND_SCOPES)
    elif asked.page is ACCOUNT_HOLDER:
        api = "creator" if "biz.creator.info" in scopes else "accounts"
    else:
        api = "login_kit"
    grant = model.consent(
        api, asked.app, scopes=scopes, advertisers=advertisers, brands=brands, subject=subject
    )
    model.allowed.append(grant)
    code = model.issue_code(grant, asked.app, asked.redirect_uri, asked.code_challenge)
    if asked.page is PORTAL:
        return _redirect(asked, {"auth_code": code, "code": code}, "allowed")
    return _redirect(asked, {"code": code, "scopes": ",".join(scopes)}, "allowed")


def _redirect(asked: ConsentRequest, answer: dict[str, str], outcome: str) -> Answer:
    if asked.state is not None:
        answer = {**answer, "state": asked.state}
    joint = "&" if "?" in asked.redirect_uri else "?"
    location = f"{asked.redirect_uri}{joint}{urlencode(answer)}"
    security = _security(_origin(asked.redirect_uri))
    return Answer(303, b"", HTML, outcome, {**security, "Location": location})


def _origin(redirect_uri: str) -> str:
    uri = urlsplit(redirect_uri)
    port = f":{uri.port}" if uri.port is not None else ""
    return f"{uri.scheme}://{uri.hostname}{port}"


def _security(redirect_origin: str = "") -> dict[str, str]:
    """Return the security headers of a page; browsers hold ``form-action`` against redirects."""
    targets = f"'self' {redirect_origin}".rstrip()
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {targets}; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def _consent_page(asked: ConsentRequest, csrf: str, problem: str) -> Answer:
    origin = _origin(asked.redirect_uri)
    names = [fixtures.SCOPE_NAMES.get(scope, scope) for scope in asked.scopes]
    permissions = "".join(f"<li>{escape(name)}</li>" for name in names)
    warning = f'<p class="warn" id="problem">{escape(problem)}</p>' if problem else ""
    content = f"""<h1>{escape(asked.app.name)} asks for access</h1>{warning}
<form method="post"><input type="hidden" name="csrf" value="{escape(csrf)}">
<fieldset><legend>Accounts</legend>{_choices(asked.page)}</fieldset>
<fieldset><legend>Permissions</legend><ul>{permissions}</ul></fieldset>
<div class="row"><button id="deny" name="decision" value="deny">Deny</button>
<button id="allow" name="decision" value="allow">Allow</button></div>
<p class="note">Both lead back to {escape(origin)}</p></form>"""
    return _page(200, "Authorize", content, "page", origin)


def _choices(page: ConsentPage) -> str:
    if page is not PORTAL:
        return "".join(
            _choice("radio", "account", name, f"{shown} (@{name})", checked=number == 0)
            for number, (name, shown) in enumerate(fixtures.ACCOUNTS.items())
        )
    named = [
        ("advertiser", a, f"{fixtures.advertiser_name(a)} ({a})") for a in fixtures.ADVERTISERS
    ]
    named += [("tcm_account", brand, f"Brand account {brand}") for brand in fixtures.BRANDS]
    return "".join(_choice("checkbox", *choice, checked=True) for choice in named)


def _choice(kind: str, field: str, value: str, label: str, *, checked: bool) -> str:
    return (
        f'<label><input type="{kind}" name="{escape(field)}" value="{escape(value)}"'
        f"{' checked' if checked else ''}>{escape(label)}</label>"
    )


def _error_page(reason: str) -> Answer:
    content = f'<h1>This link does not work</h1><p class="warn" id="error">{escape(reason)}</p>'
    return _page(400, "Error", content, "refused")


def _page(status: int, title: str, content: str, outcome: str, origin: str = "") -> Answer:
    """Return a page of *content*, in which every string from outside is escaped already."""
    body = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title} - TikTok simulator</title><style>{_STYLE}</style></head><body><main>"
        '<p class="note">TikTok simulator: nothing here reaches TikTok</p>'
        f"{content}</main></body></html>"
    )
    return Answer(status, body.encode(), HTML, outcome, _security(origin))
