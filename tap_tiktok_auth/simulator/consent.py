"""The two consent pages: ``/portal/auth`` and ``/v2/auth/authorize/``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from tap_tiktok_auth.simulator import pages, world
from tap_tiktok_auth.simulator.apps import LOOPBACK, redirect_problem
from tap_tiktok_auth.simulator.grants import ACCOUNT_HOLDER, LOGIN_KIT, PORTAL
from tap_tiktok_auth.simulator.wire import HTML, Malformed, Reply, Request, not_found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_tiktok_auth.simulator.apps import App
    from tap_tiktok_auth.simulator.grants import Grant
    from tap_tiktok_auth.simulator.state import State

PORTAL_PATH = "/portal/auth"
AUTHORIZE_PATH = "/v2/auth/authorize/"

_CHALLENGE = re.compile(r"[0-9a-f]{64}")
_MOST_PENDING = 1_000
_KNOWN_SCOPES = {
    ACCOUNT_HOLDER: {*world.ACCOUNT_SCOPES, *world.MORE_ACCOUNT_SCOPES},
    LOGIN_KIT: {*world.LOGIN_KIT_SCOPES, *world.MORE_LOGIN_KIT_SCOPES},
}


class _WrongLinkError(Exception):
    """The link that brought the person here is wrong; the text says why."""


@dataclass(frozen=True)
class _Asked:
    """What the link asks for.

    Attributes:
        page: The consent page.
        app: Who asks.
        redirect_uri: Where the answer goes.
        state: The client's own value, to be given back as it came.
        scopes: What is asked for.
        code_challenge: Hex SHA-256 of the verifier (Login Kit desktop).
        skip: Whether a person who has allowed this before is not asked again.
    """

    page: str
    app: App
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    code_challenge: str | None
    skip: bool


class ConsentDesk:
    """Shows the pages and takes the decisions.

    Args:
        state: What TikTok knows.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._pending: dict[str, _Asked] = {}
        self._subjects: dict[tuple[str, str], str] = {}
        self._allowed: list[Grant] = []

    def serves(self, path: str) -> bool:
        """Tell whether *path* is one of the pages."""
        return path in {PORTAL_PATH, AUTHORIZE_PATH}

    def answer(self, request: Request) -> Reply:
        """Show a page, or take the decision that its form sends."""
        try:
            if request.method == "GET":
                return self._show(self._read(request))
            if request.method == "POST":
                return self._decide(request)
        except _WrongLinkError as wrong:
            return _html(400, pages.error_page(str(wrong)), "refused")
        return not_found()

    def _read(self, request: Request) -> _Asked:
        query = request.query_fields()
        portal = request.path == PORTAL_PATH
        app = self._app(query, portal=portal)
        page = PORTAL if portal else LOGIN_KIT if app.platform == "login_kit" else ACCOUNT_HOLDER
        redirect_uri = query.get("redirect_uri", "")
        problem = redirect_problem(page, redirect_uri, app.redirect_uris[page])
        if problem is not None:
            raise _WrongLinkError(problem)
        if not portal and query.get("response_type") != "code":
            raise _WrongLinkError("The response_type must be code.")
        scopes = _portal_scopes(query) if portal else _scopes(page, query)
        challenge = _challenge(page, redirect_uri, query)
        skip = not portal and query.get("disable_auto_auth") == "0"
        return _Asked(page, app, redirect_uri, query.get("state"), scopes, challenge, skip)

    def _app(self, query: Mapping[str, str], *, portal: bool) -> App:
        name = "app_id" if portal else "client_key"
        app = self._state.apps.by_id(query.get(name, ""))
        if app is None or (portal and app.platform != "business"):
            raise _WrongLinkError(f"The {name} is missing or unknown.")
        return app

    def _show(self, asked: _Asked, problem: str = "") -> Reply:
        if asked.skip:
            before = self._allowed_before(asked)
            if before is not None:
                return self._allow(asked, subject=before.subject)
        csrf = self._state.mint.text(40)
        while len(self._pending) >= _MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[csrf] = asked
        origin = _origin(asked.redirect_uri)
        permissions = [world.SCOPE_NAMES.get(scope, scope) for scope in asked.scopes]
        ask = pages.Ask(asked.app.name, permissions, origin)
        body = pages.consent_page(ask, csrf, _choices(asked), problem)
        return _html(200, body, "page", origin)

    def _decide(self, request: Request) -> Reply:
        try:
            request.form_fields()
        except Malformed as malformed:
            raise _WrongLinkError(str(malformed)) from None
        form = parse_qs(request.body.decode("ascii"), keep_blank_values=True)
        asked = self._pending.pop(form.get("csrf", [""])[0], None)
        if asked is None:
            raise _WrongLinkError("This page is out of date. Open the link again.")
        if form.get("decision") != ["allow"]:
            description = "The user denied the authorization."
            denied = {"error": "access_denied", "error_description": description}
            return _redirect(asked, denied, "denied")
        advertisers = [a for a in form.get("advertiser", []) if a in world.ADVERTISERS]
        brands = [b for b in form.get("tcm_account", []) if b in world.TCM_ACCOUNTS]
        account = form.get("account", [""])[0]
        if asked.page == PORTAL:
            if not advertisers and not brands:
                return self._show(asked, "Choose at least one account.")
            subject = self._subject(asked.app, PORTAL)
            return self._allow(asked, subject, advertisers, brands)
        if account not in world.ACCOUNTS:
            return self._show(asked, "Choose an account.")
        return self._allow(asked, self._subject(asked.app, account))

    def _allow(
        self,
        asked: _Asked,
        subject: str,
        advertisers: list[str] | None = None,
        brands: list[str] | None = None,
    ) -> Reply:
        api, scopes = _api_and_scopes(asked, advertisers or [], brands or [])
        grant = self._state.consent(
            api,
            asked.app,
            scopes=scopes,
            advertisers=advertisers or [],
            tcm_accounts=brands or [],
            subject=subject,
        )
        self._allowed.append(grant)
        code = self._state.code_for(grant, asked.app, asked.redirect_uri, asked.code_challenge)
        if asked.page == PORTAL:
            return _redirect(asked, {"auth_code": code, "code": code}, "allowed")
        return _redirect(asked, {"code": code, "scopes": ",".join(scopes)}, "allowed")

    def _allowed_before(self, asked: _Asked) -> Grant | None:
        for grant in reversed(self._allowed):
            same_app = grant.app_id == asked.app.app_id and not grant.revoked
            if same_app and set(asked.scopes) <= set(grant.scopes):
                return grant
        return None

    def _subject(self, app: App, account: str) -> str:
        key = (app.app_id, account)
        if key not in self._subjects:
            mint = self._state.mint
            self._subjects[key] = mint.number(19) if account == PORTAL else mint.open_id()
        return self._subjects[key]


def _choices(asked: _Asked) -> list[pages.Choice]:
    if asked.page != PORTAL:
        return [
            pages.Choice("account", name, f"{shown} (@{name})", checked=number == 0, several=False)
            for number, (name, shown) in enumerate(world.ACCOUNTS.items())
        ]
    advertisers = [
        pages.Choice(
            "advertiser", a, f"{world.advertiser_name(a)} ({a})", checked=True, several=True
        )
        for a in world.ADVERTISERS
    ]
    brands = [
        pages.Choice("tcm_account", b, f"Brand account {b}", checked=True, several=True)
        for b in world.TCM_ACCOUNTS
    ]
    return advertisers + brands


def _api_and_scopes(
    asked: _Asked, advertisers: list[str], brands: list[str]
) -> tuple[str, tuple[str, ...]]:
    if asked.page == LOGIN_KIT:
        return "login_kit", asked.scopes
    if asked.page == ACCOUNT_HOLDER:
        return "creator" if "biz.creator.info" in asked.scopes else "accounts", asked.scopes
    scopes = tuple(s for s in asked.scopes if brands or s not in world.TCM_SCOPES)
    return "marketing" if advertisers else "creator_marketplace", scopes


def _portal_scopes(query: Mapping[str, str]) -> tuple[str, ...]:
    offered = (*world.MARKETING_SCOPES, *world.TCM_SCOPES)
    if not query.get("scope"):  # TikTok docs: without a scope, all permissions of the app
        return offered
    try:
        wanted = json.loads(query["scope"])
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, list) or any(str(scope) not in offered for scope in wanted):
        raise _WrongLinkError(f"The scope must be a JSON list of these: {', '.join(offered)}.")
    return tuple(str(scope) for scope in wanted)


def _scopes(page: str, query: Mapping[str, str]) -> tuple[str, ...]:
    scopes = tuple(scope for scope in query.get("scope", "").split(",") if scope)
    unknown = [scope for scope in scopes if scope not in _KNOWN_SCOPES[page]]
    if not scopes or unknown:
        raise _WrongLinkError(
            f"The scope is wrong: {', '.join(unknown)}." if unknown else "A scope is missing."
        )
    return scopes


def _challenge(page: str, redirect_uri: str, query: Mapping[str, str]) -> str | None:
    challenge = query.get("code_challenge")
    if page != LOGIN_KIT:
        return None
    if challenge is None and urlsplit(redirect_uri).hostname not in LOOPBACK:
        return None
    if challenge is None or _CHALLENGE.fullmatch(challenge) is None:
        raise _WrongLinkError(
            "The code_challenge must be the SHA-256 of the code_verifier in hex, 64 digits."
        )
    if query.get("code_challenge_method") != "S256":
        raise _WrongLinkError("The code_challenge_method must be S256.")
    return challenge


def _redirect(asked: _Asked, answer: dict[str, str], outcome: str) -> Reply:
    if asked.state is not None:
        answer = {**answer, "state": asked.state}
    joint = "&" if "?" in asked.redirect_uri else "?"
    location = f"{asked.redirect_uri}{joint}{urlencode(answer)}"
    security = pages.headers(_origin(asked.redirect_uri))
    return Reply(303, b"", HTML, {**security, "Location": location}, outcome)


def _origin(redirect_uri: str) -> str:
    uri = urlsplit(redirect_uri)
    port = f":{uri.port}" if uri.port is not None else ""
    return f"{uri.scheme}://{uri.hostname}{port}"


def _html(status: int, body: bytes, outcome: str, origin: str | None = None) -> Reply:
    return Reply(status, body, HTML, pages.headers(origin), outcome)
