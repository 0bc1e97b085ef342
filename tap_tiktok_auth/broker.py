"""One question, "a fresh token for this connection, please", and what it takes to answer it.

The broker carries out what `lifecycle` decides: it takes the lease, sends the request, commits
the answer before anyone sees it, and remembers what failed. It knows neither Singer nor a
terminal.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from tap_tiktok_auth import lifecycle, outcomes
from tap_tiktok_auth.connections import App, Connection
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    ConfigurationError,
    Interrupted,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.leases import Leases, Patience, is_dead
from tap_tiktok_auth.lifecycle import Step, Wish, next_step
from tap_tiktok_auth.records import Attempt, Record
from tap_tiktok_auth.renewal import Renewal, carry_out
from tap_tiktok_auth.signals import deferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.apis.messages import Request, Response
    from tap_tiktok_auth.client import Client
    from tap_tiktok_auth.connections import Config
    from tap_tiktok_auth.store.contract import Store
    from tap_tiktok_auth.tokens import Token

T = TypeVar("T")

log = logging.getLogger(__name__)

#: Seconds to wait for another process's refresh while the old token still works.
PATIENCE_WITH_TOKEN = 15.0
#: Seconds to wait for it when there is no token to work with: TikTok's longest pause, and a bit.
PATIENCE_WITHOUT_TOKEN = 420.0


@dataclass(frozen=True)
class Held:
    """A token to work with.

    Attributes:
        connection: The connection, with the app that the token belongs to.
        record: What the store has of it.
        warning: Why the token, which still works, could not be renewed.
    """

    connection: Connection
    record: Record
    warning: TikTokAuthError | None = None

    @property
    def token(self) -> Token:
        """The token."""
        if self.record.token is None:
            raise AuthorizationRequired("it has no token", next_step=lifecycle.LOGIN)
        return self.record.token


class Broker:
    """Keeps the tokens of connections fresh.

    Args:
        config: The checked config.
        store: The token store.
        connect: Makes the HTTP client; called when something is to be sent.
        stop: Shared with the client: set while the process is told to stop.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        connect: Callable[[], Client],
        stop: threading.Event | None = None,
    ) -> None:
        self.config = config
        self.store = store
        self.stop = stop or threading.Event()
        self._connect = connect
        self._leases = Leases(store, config.request_timeout)
        self._lock = threading.Lock()

    @cached_property
    def client(self) -> Client:
        """The HTTP client."""
        with self._lock:
            return self._connect()

    def close(self) -> None:
        """Close the connections to TikTok, if there are any."""
        if "client" in self.__dict__:
            self.client.close()

    # Which connections there are

    def connection(self, name: str) -> Connection:
        """Return the connection of that name, from the config or from the store.

        Raises:
            ConfigurationError: Neither has it.
        """
        configured = self.config.connection(name)
        if configured is not None and configured.seed is not None:
            return configured
        record = self.store.read(name)
        if record is not None:
            return _stored_connection(record, configured)
        if configured is not None:
            return configured
        raise ConfigurationError(
            f"there is no connection named {name}",
            next_step=f"Run: tiktok-auth login {name}, or add it to the setting connections.",
        )

    def connections(self) -> list[Connection]:
        """Return all connections of the config and of the store, each once.

        What another config put into the store, with an app that this one does not know, is not
        this one's business.

        Raises:
            ConfigurationError: There is none.
        """
        stored = {record.name: record for record in self.store.records()}
        found = [
            _stored_connection(stored[c.name], c) if c.seed is None and c.name in stored else c
            for c in self.config.connections
        ]
        named = {connection.name for connection in found}
        found += [
            _stored_connection(record)
            for name, record in stored.items()
            if name not in named and self._is_usable(record)
        ]
        if not found:
            raise ConfigurationError(
                "there is no connection",
                next_step="Set app_id, app_secret and auth_code, or run: tiktok-auth login NAME",
            )
        return found

    def _is_usable(self, record: Record) -> bool:
        """Whether a stored connection that the config does not name is part of a run."""
        shared = self.config.defaults.app()
        known = record.app_secret is not None or (
            shared is not None and shared.app_id == record.app_id
        )
        return known and record.generation > 0

    def api(self, connection: Connection) -> TokenApi:
        """Return the token system of a connection."""
        from tap_tiktok_auth.apis import api_for  # noqa: PLC0415  (not for a cached token)

        return api_for(connection.api, self.config)

    # Having a fresh token

    def obtain(
        self,
        connection: Connection,
        *,
        min_lifetime: float = 0.0,
        force: bool = False,
        recheck: bool = False,
    ) -> Held:
        """Return a fresh token of a connection, renewing or exchanging only if it must.

        However many threads, processes and machines ask at once, TikTok is asked once.

        Args:
            connection: The connection.
            min_lifetime: Seconds for which the token must work at least.
            force: Refresh even a fresh token.
            recheck: Return also a token that TikTok refused before and that nothing can renew,
                because TikTok is asked about it next.

        Raises:
            TikTokAuthError: There is no token that works; the error names the connection.
        """
        try:
            record = self.store.read(connection.name)
            ask = _Ask(
                min_lifetime=min_lifetime,
                recheck=recheck,
                forced_generation=(record.generation if record else 0) if force else None,
            )
            step = next_step(record, self._wish(connection, record, ask))
            if not step.spends:
                return self._settle(connection, record, step)
            with deferred(self.stop):
                return self._renew(connection, ask)
        except TikTokAuthError as error:
            raise error.of(connection.name) from None

    def start(self, connection: Connection, *, remember: Connection | None = None) -> Held:
        """Start a new chain from the connection's seed, because a person logged in.

        Args:
            connection: The connection with the new seed and its app.
            remember: The connection as the config has it: its seed counts as taken, so that it
                does not replace what the person just did.

        Raises:
            TikTokAuthError: TikTok refuses the seed, or the store fails.
        """
        configured = remember.seed if remember else None
        seed_hash = self.store.digest(configured.material) if configured else None
        try:
            with deferred(self.stop):
                return self._renew(connection, _Ask(login=True, login_seed_hash=seed_hash))
        except TikTokAuthError as error:
            raise error.of(connection.name) from None

    def _wish(self, connection: Connection, record: Record | None, ask: _Ask) -> Wish:
        seed, digest = connection.seed, self.store.digest
        app = self._app(connection, record)
        credentials = f"{app.app_id}\0{app.secret}" if app else ""
        attempt = None
        if seed is not None:
            extra = f"{connection.redirect_uri}\0{seed.code_verifier}\0{connection.api}"
            attempt = digest(f"seed\0{seed.material}\0{credentials}\0{extra}")
        refresh = record.token.refresh_token if record and record.token else None
        generation = record.generation if record else 0
        return Wish(
            now=self.store.now(),
            margin=self.config.refresh_margin,
            min_lifetime=ask.min_lifetime,
            force=ask.login or ask.forced_generation == generation,
            recheck=ask.recheck,
            new_chain=ask.login,
            seed_kind=seed.kind if seed else None,
            seed_hash=digest(seed.material) if seed else None,
            seed_attempt=attempt,
            refresh_attempt=digest(f"refresh\0{refresh}\0{credentials}") if refresh else None,
        )

    def _settle(self, connection: Connection, record: Record | None, step: Step) -> Held:
        if step.action == "stop" or record is None:
            raise step.error or AuthorizationRequired("it has no token", next_step=lifecycle.LOGIN)
        app = self._app(connection, record)
        return Held(replace(connection, api=record.api, app=app), record, step.error)

    def _renew(self, connection: Connection, ask: _Ask) -> Held:
        """Take the lease and do what is due under it, or wait for who does it already."""
        name, patience, dead = connection.name, None, None
        while True:
            plan = _Plan()
            holder = self._leases.new_holder()
            claim = self.store.claim(
                name, holder, self._leases.ttl, self._planner(connection, ask, plan), dead=dead
            )
            if claim.outcome == "held" and claim.record is not None:
                return self._carry_out(connection, claim.record, holder, plan, ask)
            if claim.outcome == "declined":
                return self._settle(connection, claim.record, plan.step)
            wish = self._wish(connection, claim.record, ask)
            step = next_step(claim.record, wish)
            if not step.spends:
                return self._settle(connection, claim.record, step)
            if claim.holder is not None and is_dead(claim.holder):
                dead = claim.holder
                continue
            works = step.action == "refresh" and _works(claim.record, wish)
            patience = patience or Patience(
                PATIENCE_WITH_TOKEN if works else PATIENCE_WITHOUT_TOKEN, self.stop
            )
            if not patience.wait():
                busy = TryAgainLater(
                    "another process has been renewing the token for long",
                    next_step="Run again later.",
                )
                if works and claim.record is not None:
                    return self._settle(connection, claim.record, Step("use", busy))
                raise busy

    def _carry_out(
        self, connection: Connection, record: Record, holder: str, plan: _Plan, ask: _Ask
    ) -> Held:
        renewal = Renewal(
            connection=replace(connection, app=self._app_for(plan.step, connection, record)),
            record=plan.found or record,
            action=plan.step.action,
            attempt=plan.attempt,
            holder=holder,
            seed_hash=ask.login_seed_hash if ask.login else plan.seed_hash,
            is_login=ask.login,
            is_new=plan.before is None,
            was_lost=plan.before != plan.found and plan.before is not None,
        )
        with self._leases.kept(connection.name, holder):
            outcome = carry_out(
                renewal,
                store=self.store,
                client=lambda: self.client,
                api=self.api(connection),
                confirm=lambda: self._leases.confirm(connection.name, holder),
                stop=self.stop,
            )
        return self._settle(connection, outcome.record, Step("use", outcome.warning))

    def _planner(
        self, connection: Connection, ask: _Ask, plan: _Plan
    ) -> Callable[[Record | None], Record | None]:
        def prepare(record: Record | None) -> Record | None:
            """Decide, under the lease, on what is stored at this very moment."""
            if self.stop.is_set():
                raise Interrupted("told to stop")
            plan.before = record
            record = outcomes.lost_answer(record) if record else None
            wish = self._wish(connection, record, ask)
            plan.wish, plan.step = wish, next_step(record, wish)
            if not plan.step.spends:
                return None
            record = record or Record(connection.name, connection.api, "")
            plan.found = record
            # From here until the commit whoever finds this without a holder knows that the
            # request may have been sent.
            return replace(record, attempt=Attempt(plan.attempt, wish.now, "sent"))

        return prepare

    def _app_for(self, step: Step, connection: Connection, record: Record) -> App | None:
        return self._app(connection, record) if step.action == "refresh" else connection.app

    def _app(self, connection: Connection, record: Record | None) -> App | None:
        """Return the app to use: the config's where it is the one that the tokens belong to."""
        if record is None or not record.app_id or record.token is None:
            return connection.app
        for app in (connection.app, self.config.defaults.app()):
            if app is not None and app.app_id == record.app_id:
                return app
        if record.app_secret is not None:
            return App(record.app_id, record.app_secret)
        return connection.app

    # Using a token

    def call(
        self,
        held: Held,
        build: Callable[[str], Request],
        read: Callable[[Response], T],
    ) -> tuple[T, Held]:
        """Make a data call with a token, and once again with a new one if TikTok refuses it.

        Args:
            held: The token.
            build: Makes the request from the access token.
            read: Reads the answer.

        Returns:
            What `read` returned, and the token that worked.

        Raises:
            TikTokAuthError: What the last refusal means; the error names the connection.
        """
        name = held.connection.name
        try:
            try:
                return self._call(held, build, read), held
            except AccessTokenRejected as rejection:
                held = self.replace(held, rejection)
            try:
                return self._call(held, build, read), held
            except AccessTokenRejected as rejection:
                self.note_rejection(held, rejection)
                raise
        except TikTokAuthError as error:
            raise error.of(name) from None

    def replace(self, held: Held, rejection: TikTokAuthError) -> Held:
        """Return a new token for one that TikTok refused in use.

        Only the very token that was refused is given up: if someone has replaced it already,
        theirs is returned.

        Raises:
            TikTokAuthError: There is no other token; *rejection* if none can be had.
        """
        refused = self.note_rejection(held, rejection)
        current = self.store.read(held.connection.name)
        if current is None or (
            current.generation == held.record.generation and not refused.refreshable
        ):
            raise rejection.of(held.connection.name)
        return self.obtain(held.connection)

    def note_rejection(self, held: Held, rejection: TikTokAuthError) -> Token:
        """Remember that TikTok refused a token, unless it was replaced meanwhile."""
        record = outcomes.after_rejection(held.record, rejection, self.store.now())
        ended = record.status == "reauthorization_required" != held.record.status
        fingerprint = self.store.fingerprint(held.token.access_token)
        self.store.amend(
            record,
            ("token", "status", "failure", "request_id"),
            events=outcomes.token_events(
                ("reauthorization_required",) if ended else (),
                record,
                before=fingerprint,
                error=rejection,
            ),
        )
        return held.token

    def _call(
        self, held: Held, build: Callable[[str], Request], read: Callable[[Response], T]
    ) -> T:
        request = build(held.token.access_token)
        if not request.app_id:
            request = replace(request, app_id=held.record.app_id)
        return self.client.fetch(request, read)

    # Ending

    def revoke(self, connection: Connection) -> Record:
        """Revoke a connection's token at TikTok and forget its secrets; the row stays.

        Raises:
            TikTokAuthError: TikTok refuses, or the store fails.
        """
        try:
            with deferred(self.stop):
                while True:
                    record = self.store.read(connection.name)
                    if record is None or record.token is None:
                        raise AuthorizationRequired("it has no token to revoke")
                    app = self._app(connection, record)
                    if app is None:
                        raise ConfigurationError(
                            "the app's credentials are missing",
                            next_step="Set app_id and app_secret.",
                        )
                    api = self.api(connection)
                    request = api.revoke(app, record.token.access_token)
                    self.client.fetch(request, api.read_revoked)
                    revoked = outcomes.after_revocation(record)
                    before = self.store.fingerprint(record.token.access_token)
                    events = outcomes.token_events(("revoked",), revoked, before=before)
                    if self.store.commit(revoked, None, events=events):
                        return revoked
        except TikTokAuthError as error:
            raise error.of(connection.name) from None


@dataclass(frozen=True)
class _Ask:
    """How a token is asked for.

    Attributes:
        min_lifetime: Seconds for which it must work.
        recheck: Whether TikTok is asked about it next.
        forced_generation: Refresh if the store still has this generation.
        login: Start a new chain whatever is stored.
        login_seed_hash: Keyed hash of the seed that the config has at that time.
    """

    min_lifetime: float = 0.0
    recheck: bool = False
    forced_generation: int | None = None
    login: bool = False
    login_seed_hash: str | None = None


class _Plan:
    """What was decided under the lease."""

    def __init__(self) -> None:
        self.step = Step("stop")
        self.wish: Wish | None = None
        self.before: Record | None = None
        self.found: Record | None = None

    @property
    def seed_hash(self) -> str | None:
        """Keyed hash of the configured seed."""
        return self.wish.seed_hash if self.wish else None

    @property
    def attempt(self) -> str:
        """Key of the attempt."""
        wish = self.wish
        if wish is None:
            return ""
        return (wish.refresh_attempt if self.step.action == "refresh" else wish.seed_attempt) or ""


def _works(record: Record | None, wish: Wish) -> bool:
    return (
        record is not None
        and record.token is not None
        and record.token.state(wish.now, 0) != "expired"
        and (record.token.expires_at or wish.now + wish.min_lifetime)
        >= wish.now + wish.min_lifetime
    )


def _stored_connection(record: Record, configured: Connection | None = None) -> Connection:
    """Return a connection that lives in the store."""
    app = configured.app if configured and configured.app else None
    if app is None and record.app_secret is not None:
        app = App(record.app_id, record.app_secret)
    return Connection(
        name=record.name,
        api=record.api,
        app=app,
        redirect_uri=(configured.redirect_uri if configured else None) or record.redirect_uri,
        advertiser_ids=configured.advertiser_ids if configured else (),
        configured=configured is not None,
    )
