"""One question, "a fresh token for this connection, please", and what it takes to answer it.

The manager answers from the store if it can; else it takes in what earlier processes could not
store, and has `single_flight` renew the token. It knows neither Singer nor a terminal.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials import lifecycle
from tap_tiktok_auth.credentials.registry import ConnectionRegistry
from tap_tiktok_auth.credentials.wishes import Ask, Wishes, settle
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    StoreError,
    TikTokAuthError,
)
from tap_tiktok_auth.process import Forkable, Lock, deferred

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Identity, TokenApi, TokenResponse
    from tap_tiktok_auth.config.models import Config, Connection
    from tap_tiktok_auth.credentials.lifecycle import Step
    from tap_tiktok_auth.credentials.models import EventName, PendingLogin, StoredConnection
    from tap_tiktok_auth.credentials.single_flight import SingleFlight
    from tap_tiktok_auth.credentials.tokens import Token
    from tap_tiktok_auth.credentials.wishes import Outcome
    from tap_tiktok_auth.http.client import Client
    from tap_tiktok_auth.store.contract import Store


#: Seconds between two tries to deliver an answer that the store did not take.
DELIVER_EVERY = 5.0


@dataclass(frozen=True)
class Credentials:
    """A token to work with.

    Attributes:
        connection: The connection, with the app that the token belongs to.
        stored: What the store has of it.
        warning: Why the token, which still works, could not be renewed.
        renewal: What was done to have it; None if it was there, or someone else's work.
    """

    connection: Connection
    stored: StoredConnection
    warning: TikTokAuthError | None = None
    renewal: EventName | None = None

    @property
    def token(self) -> Token:
        """The token."""
        if self.stored.token is None:
            raise AuthorizationRequired("it has no token", next_step=lifecycle.LOGIN)
        return self.stored.token


class TokenManager(Forkable):
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
        self.registry = ConnectionRegistry(config, store)
        self._connect = connect
        self._client: Client | None = None
        self._wishes = Wishes(store, self.registry, config.refresh_margin)
        self._flight: SingleFlight | None = None
        self._looked_at = -math.inf
        self._closed = threading.Event()
        self._delivery: threading.Thread | None = None
        self._lock, self._looking = Lock(), Lock()
        self.follow_forks()

    def after_fork_in_child(self) -> None:
        """Begin anew: a thread of the parent may have been waiting for *stop* or setting it."""
        threading.Event.__init__(self.stop)
        self._closed, self._delivery = threading.Event(), None

    @property
    def client(self) -> Client:
        """The HTTP client, made when it is first needed."""
        with self._lock.held():
            if self._client is None:
                self._client = self._connect()
            return self._client

    def close(self) -> None:
        """Close the connections to TikTok, and store what the store did not take before."""
        self._closed.set()
        if self._delivery is not None and not self.stop.is_set():
            with suppress(TikTokAuthError):
                self.take_in()
        if self._client is not None:
            self._client.close()

    def connection(self, name: str) -> Connection:
        """Return the connection of that name, from the config or from the store.

        Raises:
            ConfigurationError: Neither has it.
        """
        return self.registry.connection(name)

    def connections(self) -> list[Connection]:
        """Return all connections of the config and of the store, each once.

        Raises:
            ConfigurationError: There is none.
        """
        return self.registry.connections()

    def refuse_elsewhere(self, record: StoredConnection | PendingLogin) -> None:
        """Refuse to send a record's secrets to a host that they do not belong to.

        Raises:
            ConfigurationError: The settings name another one.
        """
        error = self.registry.elsewhere(record)
        if error is not None:
            raise error

    def api(self, connection: Connection) -> TokenApi:
        """Return the token system of a connection."""
        return self.config.token_api(connection.api)

    def outlook(self, connection: Connection, record: StoredConnection | None) -> Step:
        """Return what obtaining a token would begin with; nobody is asked, nothing changes."""
        return lifecycle.next_step(record, self._wishes.of(connection, record, Ask()))

    # Having a fresh token

    def get_token(
        self,
        connection: Connection,
        *,
        min_lifetime: float = 0.0,
        force: bool = False,
        recheck: bool = False,
    ) -> Credentials:
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
        return self.held(connection, Ask(min_lifetime=min_lifetime, force=force, recheck=recheck))

    def log_in(
        self,
        connection: Connection,
        *,
        remember: Connection | None = None,
        approve: Callable[[TokenResponse], None] = lambda _: None,
        told: Callable[[str, Identity], None] | None = None,
    ) -> Credentials:
        """Start a new chain from the connection's seed, because a person logged in.

        Args:
            connection: The connection with the new seed and its app.
            remember: The connection as the config has it: its seed counts as taken, so that it
                does not replace what the person just did.
            approve: Called with what TikTok granted, before it is stored; what it raises leaves
                the connection as it was.
            told: Called with an access token that TikTok had to confirm on the way, and with what
                it said about it.

        Raises:
            TikTokAuthError: TikTok refuses the seed, or the store fails.
        """
        configured = remember.seed if remember else None
        seed_hash = self.store.digest(configured.material) if configured else None
        _teach_given(connection)
        ask = Ask(login=True, login_seed_hash=seed_hash, approve=approve, told=told)
        return self.held(connection, ask)

    def held(self, connection: Connection, ask: Ask) -> Credentials:
        """Return the token that is asked for.

        Raises:
            TikTokAuthError: There is no token that works; the error names the connection.
        """
        try:
            outcome = self._obtain(connection, ask)
        except TikTokAuthError as error:
            if isinstance(error, StoreError):
                self._deliver_later()
            raise error.of(connection.name) from None
        record = outcome.record
        self.refuse_elsewhere(record)  # another process may have renewed it with other settings
        if record.token is not None:
            from tap_tiktok_auth.redaction import teach  # noqa: PLC0415  (not for a fresh token)

            teach(record.token.access_token, record.token.refresh_token, record.app_secret)
        app = self.registry.app(connection, record)
        connection = replace(connection, api=record.api, app=app)
        return Credentials(connection, record, outcome.warning, outcome.renewal)

    def _obtain(self, connection: Connection, ask: Ask) -> Outcome:
        record = self.store.read(connection.name)
        ask, step = self._question(connection, record, ask)
        if step.action != "use" or step.error or _is_unsettled(record):
            self.take_in()
            record = self.store.read(connection.name)
            ask, step = self._question(connection, record, ask)
        if not step.spends:
            return settle(record, step)
        return self._renewals().renew(connection, ask)

    def _question(
        self, connection: Connection, record: StoredConnection | None, ask: Ask
    ) -> tuple[Ask, Step]:
        ask = replace(ask, seen=record.generation if record else 0)
        return ask, lifecycle.next_step(record, self._wishes.of(connection, record, ask))

    def take_in(self, name: str | None = None) -> None:
        """Take in what earlier processes could not store, before anything is sent.

        Asked for whenever the stored token is not simply used. Who comes while another thread
        looks waits, and is served by a look that began after that.

        Args:
            name: A connection that nobody holds the lease of: what a paused process has left of
                it is taken in, too.

        Raises:
            StoreError: The store does not answer.
        """
        asked = time.monotonic()
        with self._looking.held():
            if name is None and self._looked_at >= asked:
                return
            began = time.monotonic()
            from tap_tiktok_auth.store import recovery  # noqa: PLC0415  (not for a fresh token)

            recovery.take_in(self.store, self.end, name=name)
            self._looked_at = began

    def _deliver_later(self) -> None:
        """Store what is left in files as soon as the store is back: no other machine can."""
        with self._lock.held():
            if self._closed.is_set() or (self._delivery and self._delivery.is_alive()):
                return
            self._delivery = threading.Thread(
                target=self._deliver, name="tiktok-auth recovery", daemon=True
            )
            self._delivery.start()

    def _deliver(self) -> None:
        while not self._closed.wait(DELIVER_EVERY):
            with suppress(TikTokAuthError):
                self.take_in()
                return

    def end(self, record: StoredConnection) -> None:
        """Revoke a token that TikTok gave while a person revoked its connection.

        The seed that it was given for is used up, which the revoked row has to know.

        Raises:
            TikTokAuthError: TikTok could not be told, or the store fails.
        """
        self.revoke_at_tiktok(self.registry.connection(record.name), record)
        current = self.store.read(record.name)
        if current is not None and current.status == "revoked":
            spent = replace(current, spent_seeds=record.spent_seeds)
            self.store.commit(spent, None, before=current)

    def revoke_at_tiktok(self, connection: Connection, record: StoredConnection) -> None:
        """Have TikTok end the token of a record.

        Raises:
            TikTokAuthError: The record has none, or TikTok refuses.
        """
        from tap_tiktok_auth.apis.base import need_app  # noqa: PLC0415  (not for a fresh token)

        if record.token is None:
            raise AuthorizationRequired("it has no token to revoke")
        self.refuse_elsewhere(record)
        owner = replace(connection, api=record.api, app=self.registry.app(connection, record))
        api = self.api(owner)
        request = api.revoke(need_app(owner), record.token.access_token)
        self.client.fetch(request, api.read_revoked)

    def _renewals(self) -> SingleFlight:
        # Not for a token that is fresh in the store: that answer comes without these imports.
        from tap_tiktok_auth.credentials.single_flight import SingleFlight  # noqa: PLC0415

        with self._lock.held():
            if self._flight is None:
                self._flight = SingleFlight(self, self._wishes)
            return self._flight

    # Ending

    def forget(self, name: str) -> bool:
        """Remove a connection, and its recovery files, once nobody renews it.

        Returns:
            Whether there was one.

        Raises:
            TikTokAuthError: Another process renews it for long, or the store fails.
        """
        try:
            with deferred(self.stop):
                from tap_tiktok_auth.store import recovery  # noqa: PLC0415

                there = self._renewals().forget(name)
                recovery.forget(self.store, name)
                return there
        except TikTokAuthError as error:
            raise error.of(name) from None


def _is_unsettled(record: StoredConnection | None) -> bool:
    return record is not None and record.attempt is not None


def _teach_given(connection: Connection) -> None:
    """Have logging mask what a person typed: no setting has told it."""
    from tap_tiktok_auth.redaction import teach  # noqa: PLC0415  (not for a fresh token)

    app, seed = connection.app, connection.seed
    teach(app.secret if app else None)
    if seed is not None:
        teach(seed.auth_code, seed.code_verifier, seed.access_token, seed.refresh_token)
