"""What the simulated TikTok knows: apps, consents, credentials, calls, and the time."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import fixtures
from tap_tiktok_auth.simulator.ids import Ids
from tap_tiktok_auth.simulator.redirects import (
    ACCOUNT_HOLDER,
    LOGIN_KIT,
    PORTAL,
    ConsentPage,
    redirect_problem,
)
from tap_tiktok_auth.simulator.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_tiktok_auth.simulator.scenarios import Scenario


@dataclass(frozen=True)
class TokenSystem:
    """What a consent covers in one of TikTok's token systems, unless it says otherwise."""

    page: ConsentPage
    scopes: tuple[str, ...]
    advertisers: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()


TOKEN_SYSTEMS = {
    "marketing": TokenSystem(PORTAL, fixtures.MARKETING_SCOPES, advertisers=fixtures.ADVERTISERS),
    "accounts": TokenSystem(ACCOUNT_HOLDER, fixtures.ACCOUNT_SCOPES),
    "creator_marketplace": TokenSystem(PORTAL, fixtures.BRAND_SCOPES, brands=fixtures.BRANDS),
    "creator": TokenSystem(ACCOUNT_HOLDER, fixtures.CREATOR_SCOPES),
    "login_kit": TokenSystem(LOGIN_KIT, fixtures.LOGIN_KIT_SCOPES),
}
APIS = tuple(TOKEN_SYSTEMS)


@dataclass(frozen=True)
class SimulatedApp:
    """A developer app as one token system sees it.

    Attributes:
        app_id: The app id; Login Kit calls it client key.
        redirect_uri: The first redirect URI registered for that token system.
    """

    api: str
    app_id: str
    app_secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True)
class Tokens:
    """The tokens of one grant, as TikTok returned them.

    Attributes:
        refresh_token: ``None`` for a long-term token.
        open_id: Who granted it: open id, or the core user id of the portal.
        expires_in: Remaining seconds of the access token; ``None`` if it does not expire.
        scopes: Scope names or ids.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    open_id: str
    expires_in: int | None
    refresh_expires_in: int | None
    scopes: tuple[str, ...]
    advertiser_ids: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """One request to TikTok, without any secret in it.

    Attributes:
        number: Counts from 1.
        at: Simulated time of arrival, epoch seconds.
        path: Path without the query.
        action: What the endpoint does: ``exchange``, ``refresh``, ``revoke``, ``advertisers``, …;
            ``unknown`` for a path that is not served.
        fields: Names of the fields sent, sorted.
        hashes: Short hash of each secret sent, by the name of the field or header.
        app_id: The app named in the request, or the one of its token.
        outcome: TikTok's code or error name, ``0`` or ``ok`` when it went well; ``dropped`` if
            the request was not processed.
        status: HTTP status; 0 if there was no answer.
        scenarios: Names of the scenarios that touched this call.
    """

    number: int
    at: float
    method: str
    path: str
    action: str
    fields: tuple[str, ...]
    hashes: Mapping[str, str] = field(default_factory=dict)
    app_id: str = ""
    outcome: str = ""
    status: int = 0
    scenarios: tuple[str, ...] = ()


@dataclass(eq=False)
class App:
    """A developer app: one on the API for Business, or one of Login Kit."""

    app_id: str
    secret: str = field(repr=False)
    name: str
    platform: str
    redirect_uris: dict[ConsentPage, list[str]]


@dataclass(eq=False)
class Grant:
    """One consent of one person to one app.

    Attributes:
        subject: The person, as that app sees them.
        deadline: Epoch seconds after which no refresh works.
        revoked: Whether the person or the app has withdrawn it.
    """

    api: str
    app_id: str
    subject: str
    scopes: tuple[str, ...]
    advertiser_ids: tuple[str, ...]
    brand_ids: tuple[str, ...]
    granted_at: float
    deadline: float
    revoked: bool = False

    @property
    def page(self) -> ConsentPage:
        """The page on which it was given."""
        return TOKEN_SYSTEMS[self.api].page


@dataclass(eq=False)
class Credential:
    """An authorization code or a token.

    Attributes:
        kind: ``code``, ``access``, ``refresh`` or ``client``.
        app_id: The app that it was issued to.
        grant: The consent behind it; a client token has none.
        expires_at: Epoch seconds; ``None`` if it does not expire.
        redirect_uri: Of a code: where it was sent.
        code_challenge: Of a code: hex SHA-256 of the verifier that it needs.
        used: Whether a code was exchanged, or a refresh token replaced by a newer one.
    """

    kind: str
    app_id: str
    grant: Grant | None
    expires_at: float | None
    redirect_uri: str = ""
    code_challenge: str | None = None
    used: bool = False

    def state(self, now: float) -> str:
        """Return ``live``, ``rotated`` (used), ``expired`` or ``revoked``."""
        if self.grant is not None and self.grant.revoked:
            return "revoked"
        if self.used:
            return "rotated"
        expired = self.expires_at is not None and now >= self.expires_at
        return "expired" if expired else "live"


@dataclass(frozen=True)
class ConsentRequest:
    """What the link to a consent page asks for.

    Attributes:
        state: The client's own value, which goes back as it came.
        code_challenge: Hex SHA-256 of the verifier (Login Kit desktop).
        skip: Whether a person who has allowed this before is not asked again.
    """

    page: ConsentPage
    app: App
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    code_challenge: str | None
    skip: bool


@dataclass(eq=False)
class Model:
    """All that one simulated TikTok knows, and how it behaves; see ``Simulator`` for that.

    Whoever reads or changes it holds ``lock``: the server and the controls are in two threads.
    """

    clock: Callable[[], float]
    seed: int | str | None = None
    latency: float = 0.0
    strict_rotation: bool = True
    tier: str = "off"
    sandbox: bool = False
    flat_errors: bool = False
    oauth_error_status: int = 200

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything: apps, consents, calls, scenarios, and time that was skipped."""
        self.ahead = 0.0
        self.ids = Ids(self.seed)
        self.throttle = Throttle(self.tier)
        self.scenarios: list[Scenario] = []
        self.calls: list[Call] = []
        self.spent = 0
        self.grants: list[Grant] = []
        self.credentials: dict[str, Credential] = {}
        self._apps: dict[tuple[str, str], App] = {}
        self._apps_by_id: dict[str, App] = {}
        # Of the consent pages: open forms, who people are to an app, and what they allowed there.
        self.pending: dict[str, ConsentRequest] = {}
        self.subjects: dict[tuple[str, str], str] = {}
        self.allowed: list[Grant] = []

    def now(self) -> float:
        """Return the simulated time in epoch seconds."""
        return self.clock() + self.ahead

    def take(self, name: str, path: str) -> Scenario | None:
        """Return the first scenario of that name for that path, and count it as used."""
        for scenario in self.scenarios:
            if scenario.name == name and (scenario.path is None or scenario.path in path):
                if scenario.times is not None:
                    scenario.times -= 1
                    if scenario.times == 0:
                        self.scenarios.remove(scenario)
                return scenario
        return None

    def app(self, api: str, name: str) -> App:
        """Return the app of that name on the platform of *api*, made when first asked for.

        Raises:
            ValueError: If *api* is no token system.
        """
        if api not in TOKEN_SYSTEMS:
            raise ValueError(f"unknown api {api!r}; known are {', '.join(TOKEN_SYSTEMS)}")
        platform = TOKEN_SYSTEMS[api].page.platform
        if (platform, name) not in self._apps:
            app = self._new_app(platform, name)
            self._apps[platform, name] = self._apps_by_id[app.app_id] = app
        return self._apps[platform, name]

    def app_by_id(self, app_id: str, platform: str) -> App | None:
        """Return the app with that id or client key on that platform."""
        app = self._apps_by_id.get(app_id)
        return app if app is not None and app.platform == platform else None

    def _new_app(self, platform: str, name: str) -> App:
        if platform == "login_kit":
            app_id, secret = f"aw{self.ids.text(14)}".lower(), self.ids.text(32)
        else:
            app_id, secret = self.ids.number(19), self.ids.text(40, "0123456789abcdef")
        pages = [p for p in (PORTAL, ACCOUNT_HOLDER, LOGIN_KIT) if p.platform == platform]
        return App(app_id, secret, name, platform, {p: list(p.redirect_uris) for p in pages})

    def consent(
        self,
        api: str,
        app: App,
        *,
        scopes: Sequence[str] | None = None,
        advertisers: Sequence[str] | None = None,
        brands: Sequence[str] | None = None,
        subject: str | None = None,
        age: float = 0.0,
    ) -> Grant:
        """Enter the consent of a person; what is left out is as usual in that token system.

        Raises:
            ValueError: If a scope of the portal is not a number.
        """
        usual, now = TOKEN_SYSTEMS[api], self.now() - age
        if subject is None:
            subject = self.ids.number(19) if usual.page == PORTAL else self.ids.open_id()
        scopes = _texts(usual.scopes if scopes is None else scopes)
        if usual.page == PORTAL and not all(scope.isdecimal() for scope in scopes):
            raise ValueError("scopes of the Marketing API are numbers")
        grant = Grant(
            api=api,
            app_id=app.app_id,
            subject=subject,
            scopes=scopes,
            advertiser_ids=_texts(usual.advertisers if advertisers is None else advertisers),
            brand_ids=_texts(usual.brands if brands is None else brands),
            granted_at=now,
            deadline=now + usual.page.refresh_lifetime,
        )
        self.grants.append(grant)
        return grant

    def issue_code(
        self, grant: Grant, app: App, redirect_uri: str | None, code_challenge: str | None = None
    ) -> str:
        """Return the code that the browser carries back after a consent.

        Raises:
            ValueError: If the redirect URI breaks TikTok's rules or is not registered.
        """
        registered = app.redirect_uris[grant.page]
        if redirect_uri is None:
            redirect_uri = registered[0]
        problem = redirect_problem(grant.page, redirect_uri, registered)
        if problem is not None:
            raise ValueError(problem)
        value, expires_at = self.ids.code(), self.now() + grant.page.code_lifetime
        self.credentials[value] = Credential(
            "code", app.app_id, grant, expires_at, redirect_uri, code_challenge
        )
        return value

    def issue_token(self, kind: str, grant: Grant, expires_at: float | None) -> str:
        """Return a new access or refresh token."""
        value = self.ids.long_term_token() if expires_at is None else self.ids.token(kind)
        self.credentials[value] = Credential(kind, grant.app_id, grant, expires_at)
        return value

    def issue_client_token(self, app: App, lifetime: int) -> str:
        """Return a new token that speaks for the app itself."""
        value = self.ids.token("client")
        self.credentials[value] = Credential("client", app.app_id, None, self.now() + lifetime)
        return value

    def refreshable(self, grant: Grant, path: str) -> dict[str, Any]:
        """Return a new access token and refresh token, under the API for Business's field names."""
        now, lifetime = self.now(), self.access_lifetime(grant.page, path)
        return {
            "access_token": self.issue_token("access", grant, now + lifetime),
            "token_type": "Bearer",
            "expires_in": lifetime,
            "refresh_token": self.issue_token("refresh", grant, grant.deadline),
            "refresh_token_expires_in": round(grant.deadline - now),
        }

    def access_lifetime(self, page: ConsentPage, path: str) -> int:
        """Return the seconds that an access token issued now will live."""
        short = self.take("short_lifetimes", path)
        return page.access_lifetime if short is None else int(short.value or 0)

    def find(self, value: str | None, *kinds: str) -> tuple[Credential, Grant] | None:
        """Return the credential with that value if it is of one of *kinds*, and its consent."""
        held = self.credentials.get(value or "")
        if held is None or held.grant is None or held.kind not in kinds:
            return None
        return held, held.grant

    def spend(self, held: Credential, grant: Grant) -> None:
        """Use up a code, or a refresh token if rotation is strict.

        TikTok docs (Login Kit, November 2026): the previous refresh token stops working. For the
        Accounts API no source tells; strict is the harder case.
        """
        held.used = held.kind == "code" or self.strict_rotation
        if held.kind == "code" or grant.page.refresh_renews:
            grant.deadline = self.now() + grant.page.refresh_lifetime
        self.spent += 1

    def advertisers_of(self, grant: Grant, path: str) -> tuple[str, ...]:
        """Return the advertisers that a grant covers now, as the scenarios have it."""
        advertisers = grant.advertiser_ids
        many = self.take("long_lists", path)
        if many is not None and grant.api == "marketing":
            advertisers = fixtures.many_advertisers(int(many.value or 0))
        return advertisers[1:] if self.take("lost_advertiser", path) is not None else advertisers


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(map(str, values))


def short_hash(value: str) -> str:
    """Return the first twelve hex digits of SHA-256: how the call list names a secret."""
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:12]
