"""Everything that can be done to a simulated TikTok from outside its API."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import world
from tap_tiktok_auth.simulator.clock import Clock
from tap_tiktok_auth.simulator.grants import PAGE_OF, PORTAL, SimulatedApp, Tokens
from tap_tiktok_auth.simulator.scenarios import Scenario
from tap_tiktok_auth.simulator.service import Service
from tap_tiktok_auth.simulator.state import Options, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_tiktok_auth.simulator.calls import Call
    from tap_tiktok_auth.simulator.wire import Reply, Request

_APP = "Simulated App"


class Controls:
    """A simulated TikTok, and the strings to pull. Safe to use from several threads.

    Args:
        options: How it behaves.
        latency: Seconds that every answer takes.
        clock: Returns epoch seconds.
    """

    url = ""

    def __init__(self, options: Options, latency: float, clock: Callable[[], float]) -> None:
        self._options = options
        self._latency = latency
        self._base_clock = clock
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything: apps, grants, calls, scenarios, and time that was skipped."""
        with self._lock:
            self._clock = Clock(self._base_clock)
            self._state = State(self._clock, self._options)
            self._service = Service(self._state, self._latency)

    def answer(self, request: Request) -> Reply:
        """Process one request to TikTok."""
        with self._lock:
            return self._service.answer(request)

    def now(self) -> float:
        """Return the simulated time in epoch seconds."""
        with self._lock:
            return self._clock.now()

    def advance(self, seconds: float) -> None:
        """Move the simulated clock forward."""
        with self._lock:
            self._clock.advance(seconds)

    def app(self, api: str = "marketing", name: str = _APP) -> SimulatedApp:
        """Return a ready-made app; one name is one app on the API for Business.

        Raises:
            ValueError: If there is no such api.
        """
        with self._lock:
            return self._state.apps.face(api, name)

    def register_redirect(self, api: str, redirect_uri: str, name: str = _APP) -> None:
        """Register one more redirect URI for an app."""
        with self._lock:
            self._state.apps.named(api, name).redirect_uris[PAGE_OF[api]].append(redirect_uri)

    def authorize(
        self,
        api: str = "marketing",
        *,
        name: str = _APP,
        scopes: Sequence[str] | None = None,
        advertisers: Sequence[str] | None = None,
        subject: str | None = None,
        redirect_uri: str | None = None,
        code_challenge: str | None = None,
    ) -> str:
        """Return the code that a person's consent would give, already URL-decoded.

        Args:
            api: The token system.
            name: Name of the app.
            scopes: Scope names or ids; by default the usual ones of that api.
            advertisers: Advertiser ids, Marketing only; by default three.
            subject: Who consents (open id, core user id); by default a new person.
            redirect_uri: By default the first one of the app.
            code_challenge: Hex SHA-256 of the verifier, Login Kit desktop only.

        Raises:
            ValueError: If the redirect URI is not one that TikTok would take.
        """
        with self._lock:
            app = self._state.apps.named(api, name)
            grant = self._state.consent(
                api, app, scopes=scopes, advertisers=advertisers, subject=subject
            )
            return self._state.code_for(grant, app, redirect_uri, code_challenge)

    def grant(
        self,
        api: str = "accounts",
        *,
        name: str = _APP,
        scopes: Sequence[str] | None = None,
        advertisers: Sequence[str] | None = None,
        subject: str | None = None,
        age: float = 0.0,
        long_term: bool = True,
    ) -> Tokens:
        """Return tokens without going through a code.

        Args:
            api: The token system.
            name: Name of the app.
            scopes: Scope names or ids; by default the usual ones of that api.
            advertisers: Advertiser ids, Marketing only; by default three.
            subject: Who consents; by default a new person.
            age: How many seconds ago the consent was given and the tokens were issued.
            long_term: Marketing only: ``False`` gives a v2.0 token of a day.
        """
        with self._lock:
            app = self._state.apps.named(api, name)
            grant = self._state.consent(
                api, app, scopes=scopes, advertisers=advertisers, subject=subject, age=age
            )
            ledger, now = self._state.ledger, self._clock.now()
            if PAGE_OF[api] == PORTAL and long_term:
                access, expires_in = ledger.issue_long_term(grant), None
            else:
                lifetime = self._state.access_lifetime(PAGE_OF[api], "")
                access = ledger.issue_access(grant, grant.granted_at + lifetime)
                expires_in = round(grant.granted_at + lifetime - now)
            refreshable = expires_in is not None
            return Tokens(
                access_token=access,
                refresh_token=ledger.issue_refresh(grant) if refreshable else None,
                open_id=grant.subject,
                expires_in=expires_in,
                refresh_expires_in=round(grant.deadline - now) if refreshable else None,
                scopes=grant.scopes,
                advertiser_ids=grant.advertiser_ids,
            )

    def settings(self, api: str = "marketing", *, name: str = _APP) -> dict[str, Any]:
        """Return settings of the tap for one connection, with a fresh ``auth_code``."""
        app = self.app(api, name)
        return {
            "api": api,
            "app_id": app.app_id,
            "app_secret": app.app_secret,
            "auth_code": self.authorize(api, name=name),
            "redirect_uri": app.redirect_uri,
            "business_api_url": self.url,
            "login_kit_api_url": self.url,
            "tiktok_url": self.url,
        }

    def scenario(
        self,
        name: str,
        *,
        value: float | None = None,
        times: int | None = None,
        path: str | None = None,
    ) -> None:
        """Let something go wrong; see ``tap_tiktok_auth.simulator.scenarios``.

        Args:
            name: What goes wrong.
            value: Milliseconds, seconds or a count, as the scenario says.
            times: How often; by default until ``clear_scenarios``.
            path: Only calls with this text in their path.

        Raises:
            ValueError: If there is no such scenario, or the value makes no sense.
        """
        with self._lock:
            self._state.scenarios.add(Scenario(name, value, times, path))

    def scenarios(self) -> list[Scenario]:
        """Return the scenarios that are on."""
        with self._lock:
            return self._state.scenarios.active()

    def clear_scenarios(self, name: str | None = None) -> None:
        """Switch off all scenarios, or those of one name."""
        with self._lock:
            self._state.scenarios.clear(name)

    def calls(
        self, action: str | None = None, path: str | None = None, outcome: str | None = None
    ) -> list[Call]:
        """Return the calls so far, of that action, path part and outcome."""
        with self._lock:
            return self._state.calls.matching(action, path, outcome)

    def count(
        self, action: str | None = None, path: str | None = None, outcome: str | None = None
    ) -> int:
        """Return how many such calls there were."""
        return len(self.calls(action, path, outcome))

    def clear_calls(self) -> None:
        """Forget the calls so far."""
        with self._lock:
            self._state.calls.clear()

    def lose_advertiser(self, advertiser_id: str) -> int:
        """Take an advertiser out of every grant; return how many grants had it."""
        with self._lock:
            return self._state.ledger.lose_advertiser(advertiser_id)

    def revoke(self, token_or_subject: str) -> int:
        """Withdraw consents as the person would, in TikTok's app; return how many."""
        with self._lock:
            return self._state.ledger.revoke(token_or_subject)

    def token_state(self, token: str) -> str:
        """Return ``live``, ``expired``, ``revoked``, ``rotated`` or ``unknown``."""
        with self._lock:
            return self._state.ledger.state(token, self._clock.now())

    @property
    def tokens_spent(self) -> int:
        """How many codes and refresh tokens were taken in."""
        with self._lock:
            return self._state.ledger.spent

    @property
    def advertiser_ids(self) -> tuple[str, ...]:
        """The advertisers that a consent covers by default."""
        return world.ADVERTISERS
