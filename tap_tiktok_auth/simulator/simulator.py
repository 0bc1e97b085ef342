"""The simulator: a simulated TikTok on a loopback port, and the controls of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import fixtures
from tap_tiktok_auth.simulator.controls import Controls
from tap_tiktok_auth.simulator.model import (
    TOKEN_SYSTEMS,
    Call,
    Model,
    SimulatedApp,
    Tokens,
)
from tap_tiktok_auth.simulator.redirects import PORTAL
from tap_tiktok_auth.simulator.scenarios import Scenario
from tap_tiktok_auth.simulator.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

_APP = "Simulated App"
_STOP_AFTER = 5.0


class Simulator:
    """A TikTok to test against. Safe to use from several threads.

    ``business_api_url``, ``login_kit_api_url`` and ``tiktok_url`` of the tap are all ``url``.
    Use it as a context manager, or call ``start`` and ``stop``::

        with Simulator() as tiktok:
            settings = tiktok.settings("marketing")

    The port is served from a thread of its own, which is a daemon: a program that forgets to stop
    the simulator still ends.

    Args:
        seed: The same seed gives the same codes, tokens and ids.
        latency: Seconds that every answer takes.
        clock: Returns epoch seconds; ``advance`` moves on from it.
        strict_rotation: Whether a refresh kills the refresh token that was used.
        tier: ``off``, ``basic``, ``advanced``, ``premium``, ``ultimate`` or ``sandbox``.
        sandbox: Whether ad accounts are out of reach, as with a sandbox token.
        flat_errors: Whether ``/v2/user/info/`` refuses with the flat of its two documented shapes.
        oauth_error_status: HTTP status of Login Kit's OAuth errors; 200 has been seen.
        port: 0 takes a free one.

    Raises:
        ValueError: If the tier is unknown.
    """

    url = ""

    def __init__(  # noqa: PLR0913  (options of a test double)
        self,
        *,
        seed: int | str | None = None,
        latency: float = 0.0,
        clock: Callable[[], float] = time.time,
        strict_rotation: bool = True,
        tier: str = "off",
        sandbox: bool = False,
        flat_errors: bool = False,
        oauth_error_status: int = 200,
        port: int = 0,
    ) -> None:
        behaviour = (strict_rotation, tier, sandbox, flat_errors, oauth_error_status)
        self._model = Model(clock, seed, latency, *behaviour)
        self._lock = self._model.lock
        self._port = port
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Open the port.

        Raises:
            OSError: If the port is taken.
            RuntimeError: If it is running already.
        """
        if self._thread is not None:
            raise RuntimeError("the simulator is running already")
        # The socket listens already: a request that comes before the thread runs just waits.
        listener = socket.create_server(("127.0.0.1", self._port), backlog=1024)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._loop, self._stopping = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(listener,), name="tiktok-simulator", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close all connections and the port. A second call does nothing."""
        if self._thread is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended in the meantime
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_STOP_AFTER)
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _serve(self, listener: socket.socket) -> None:
        service = Service(self._model, Controls(self))
        with listener, contextlib.closing(self._loop):
            self._loop.run_until_complete(service.serve(listener, self._stopping))

    def reset(self) -> None:
        """Forget everything: apps, grants, calls, scenarios, and time that was skipped."""
        with self._lock:
            self._model.reset()

    def now(self) -> float:
        """Return the simulated time in epoch seconds."""
        return self._model.now()

    def advance(self, seconds: float) -> None:
        """Move the simulated clock forward.

        Raises:
            ValueError: If *seconds* is negative.
        """
        if seconds < 0:
            raise ValueError("the simulated clock only moves forward")
        with self._lock:
            self._model.ahead += seconds

    def app(self, api: str = "marketing", name: str = _APP) -> SimulatedApp:
        """Return a ready-made app; one name is one app on the API for Business.

        Raises:
            ValueError: If there is no such api.
        """
        with self._lock:
            app = self._model.app(api, name)
            redirect_uri = app.redirect_uris[TOKEN_SYSTEMS[api].page][0]
            return SimulatedApp(api, app.app_id, app.secret, redirect_uri)

    def register_redirect(self, api: str, redirect_uri: str, name: str = _APP) -> None:
        """Register one more redirect URI for an app."""
        with self._lock:
            app = self._model.app(api, name)
            app.redirect_uris[TOKEN_SYSTEMS[api].page].append(redirect_uri)

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
            app = self._model.app(api, name)
            grant = self._model.consent(
                api, app, scopes=scopes, advertisers=advertisers, subject=subject
            )
            return self._model.issue_code(grant, app, redirect_uri, code_challenge)

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
            name: Name of the app; what follows is as with ``authorize``.
            scopes: Scope names or ids.
            advertisers: Advertiser ids.
            subject: Who consents.
            age: How many seconds ago the consent was given and the tokens were issued.
            long_term: Marketing only: ``False`` gives a v2.0 token of a day.
        """
        with self._lock:
            model = self._model
            grant = model.consent(
                api,
                model.app(api, name),
                scopes=scopes,
                advertisers=advertisers,
                subject=subject,
                age=age,
            )
            expires_at = None
            if grant.page is not PORTAL or not long_term:
                expires_at = grant.granted_at + model.access_lifetime(grant.page, "")
            access_token, refresh_token = model.issue_token("access", grant, expires_at), None
            if expires_at is not None:
                refresh_token = model.issue_token("refresh", grant, grant.deadline)
            now = model.now()
            return Tokens(
                access_token=access_token,
                refresh_token=refresh_token,
                open_id=grant.subject,
                expires_in=None if expires_at is None else round(expires_at - now),
                refresh_expires_in=None if expires_at is None else round(grant.deadline - now),
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
            self._model.scenarios.append(Scenario(name, value, times, path))

    def scenarios(self) -> list[Scenario]:
        """Return the scenarios that are on."""
        with self._lock:
            return list(self._model.scenarios)

    def clear_scenarios(self, name: str | None = None) -> None:
        """Switch off all scenarios, or those of one name."""
        with self._lock:
            left = [s for s in self._model.scenarios if name is not None and s.name != name]
            self._model.scenarios = left

    def calls(
        self, action: str | None = None, path: str | None = None, outcome: str | None = None
    ) -> list[Call]:
        """Return the calls so far, of that action, path part and outcome."""
        with self._lock:
            return [
                call
                for call in self._model.calls
                if action in {None, call.action}
                and (path is None or path in call.path)
                and (outcome is None or str(outcome) == call.outcome)
            ]

    def count(
        self, action: str | None = None, path: str | None = None, outcome: str | None = None
    ) -> int:
        """Return how many such calls there were."""
        return len(self.calls(action, path, outcome))

    def clear_calls(self) -> None:
        """Forget the calls so far."""
        with self._lock:
            self._model.calls.clear()

    def lose_advertiser(self, advertiser_id: str) -> int:
        """Take an advertiser out of every grant; return how many grants had it."""
        with self._lock:
            holders = [g for g in self._model.grants if advertiser_id in g.advertiser_ids]
            for grant in holders:
                grant.advertiser_ids = tuple(a for a in grant.advertiser_ids if a != advertiser_id)
            return len(holders)

    def revoke(self, token_or_subject: str) -> int:
        """Withdraw consents as the person would, in TikTok's app; return how many."""
        with self._lock:
            held = self._model.credentials.get(token_or_subject)
            grants = [] if held is None else [held.grant]
            grants += [g for g in self._model.grants if g.subject == token_or_subject]
            live = [grant for grant in grants if grant is not None and not grant.revoked]
            for grant in live:
                grant.revoked = True
            return len(live)

    def token_state(self, token: str) -> str:
        """Return ``live``, ``expired``, ``revoked``, ``rotated`` or ``unknown``."""
        with self._lock:
            held = self._model.credentials.get(token)
            return "unknown" if held is None else held.state(self._model.now())

    def stats(self) -> dict[str, float]:
        """Return the simulated time, and how many codes and refresh tokens were taken in."""
        return {"now": self.now(), "tokens_spent": self.tokens_spent}

    @property
    def tokens_spent(self) -> int:
        """How many codes and refresh tokens were taken in."""
        return self._model.spent

    @property
    def advertiser_ids(self) -> tuple[str, ...]:
        """The advertisers that a consent covers by default."""
        return fixtures.ADVERTISERS
