"""Everything that one simulated TikTok knows, and how consents come about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_tiktok_auth.simulator import world
from tap_tiktok_auth.simulator.apps import AppDirectory, redirect_problem
from tap_tiktok_auth.simulator.calls import CallList
from tap_tiktok_auth.simulator.grants import LOGIN_KIT, PAGE_OF, PORTAL, Code, Grant
from tap_tiktok_auth.simulator.ledger import Ledger
from tap_tiktok_auth.simulator.mint import Mint
from tap_tiktok_auth.simulator.scenarios import ScenarioBook
from tap_tiktok_auth.simulator.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_tiktok_auth.simulator.apps import App
    from tap_tiktok_auth.simulator.clock import Clock
    from tap_tiktok_auth.simulator.scenarios import Scenario

HOUR = 3_600
DAY = 86_400
YEAR = 365 * DAY


@dataclass(frozen=True)
class Options:
    """How this TikTok behaves.

    Attributes:
        seed: Makes codes, tokens and ids repeatable.
        strict_rotation: Whether a refresh kills the refresh token that was used.
        tier: Rate-limit tier.
        sandbox: Whether ad accounts are out of reach, as with a sandbox token.
        flat_errors: Whether ``/v2/user/info/`` refuses with the flat of its two documented shapes.
        oauth_error_status: HTTP status of Login Kit's OAuth errors; 200 has been seen.
    """

    seed: int | str | None = None
    strict_rotation: bool = True
    tier: str = "off"
    sandbox: bool = False
    flat_errors: bool = False
    oauth_error_status: int = 200


@dataclass(frozen=True)
class Lifetimes:
    """Lifetimes in seconds, as documented.

    TikTok docs: auth_code of the portal one hour; code of the account holder page ten minutes;
    Accounts API one day and one year; Login Kit (November 2026) two hours and 180 days; client
    token two hours.
    """

    portal_code: int = HOUR
    code: int = 600
    access: int = DAY
    refresh: int = YEAR
    login_kit_access: int = 2 * HOUR
    login_kit_refresh: int = 180 * DAY
    client: int = 2 * HOUR


@dataclass
class State:
    """One simulated TikTok.

    Attributes:
        clock: Its time.
        options: How it behaves.
    """

    clock: Clock
    options: Options = field(default_factory=Options)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)

    def __post_init__(self) -> None:
        """Set up the empty books."""
        self.mint = Mint(self.options.seed)
        self.apps = AppDirectory(self.mint)
        self.ledger = Ledger(self.mint, strict_rotation=self.options.strict_rotation)
        self.scenarios = ScenarioBook()
        self.throttle = Throttle(self.options.tier)
        self.calls = CallList()

    def consent(
        self,
        api: str,
        app: App,
        *,
        scopes: Sequence[str] | None = None,
        advertisers: Sequence[str] | None = None,
        tcm_accounts: Sequence[str] | None = None,
        subject: str | None = None,
        age: float = 0.0,
    ) -> Grant:
        """Enter the consent of a person.

        Args:
            api: The token system.
            app: The app that is authorised.
            scopes: What is allowed; by default all that the app asks for.
            advertisers: Advertiser ids; on the Marketing API by default all three.
            tcm_accounts: Brand accounts of the Creator Marketplace.
            subject: Who consents; by default a new person.
            age: How many seconds ago.

        Raises:
            ValueError: If a scope of the portal is not a number.
        """
        now = self.clock.now() - age
        if advertisers is None:
            advertisers = world.ADVERTISERS if api == "marketing" else ()
        if tcm_accounts is None:
            tcm_accounts = world.TCM_ACCOUNTS if api == "creator_marketplace" else ()
        if subject is None:
            subject = self.mint.number(19) if PAGE_OF[api] == PORTAL else self.mint.open_id()
        scopes = tuple(str(s) for s in (world.DEFAULT_SCOPES[api] if scopes is None else scopes))
        if PAGE_OF[api] == PORTAL and not all(scope.isdecimal() for scope in scopes):
            raise ValueError("scopes of the Marketing API are numbers")
        life = self.lifetimes
        refresh = life.login_kit_refresh if api == "login_kit" else life.refresh
        return self.ledger.open(
            Grant(
                api,
                app.app_id,
                subject,
                scopes,
                tuple(str(a) for a in advertisers),
                tuple(str(t) for t in tcm_accounts),
                now,
                now + refresh,
            )
        )

    def code_for(
        self, grant: Grant, app: App, redirect_uri: str | None, code_challenge: str | None = None
    ) -> str:
        """Return the code that the browser carries back after a consent.

        Raises:
            ValueError: If the redirect URI breaks TikTok's rules or is not registered.
        """
        page = PAGE_OF[grant.api]
        registered = app.redirect_uris[page]
        if redirect_uri is None:
            redirect_uri = registered[0]
        problem = redirect_problem(page, redirect_uri, registered)
        if problem is not None:
            raise ValueError(problem)
        life = self.lifetimes.portal_code if page == PORTAL else self.lifetimes.code
        expires_at = self.clock.now() + life
        return self.ledger.issue_code(Code(grant, page, redirect_uri, expires_at, code_challenge))

    def advertisers_of(self, grant: Grant, path: str) -> tuple[str, ...]:
        """Return the advertisers that a grant covers now, as the scenarios have it."""
        advertisers = grant.advertiser_ids
        many = self.scenarios.take("long_lists", path)
        if many is not None and grant.api == "marketing":
            advertisers = world.many_advertisers(int(many.value or 0))
        if self.scenarios.take("lost_advertiser", path) is not None:
            advertisers = advertisers[1:]
        return advertisers

    def access_lifetime(self, page: str, path: str) -> int:
        """Return the seconds that an access token issued now will live."""
        short: Scenario | None = self.scenarios.take("short_lifetimes", path)
        if short is not None and short.value is not None:
            return int(short.value)
        return self.lifetimes.login_kit_access if page == LOGIN_KIT else self.lifetimes.access
