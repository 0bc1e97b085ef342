"""One question, "a fresh token for this connection, please", and what it takes to answer it.

The broker answers from the store if it can; else it takes in what earlier processes could not
store, and has `single_flight` renew the token. It knows neither Singer nor a terminal.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_tiktok_auth import lifecycle
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    StoreError,
    TikTokAuthError,
)
from tap_tiktok_auth.forks import Forkable
from tap_tiktok_auth.roster import Roster
from tap_tiktok_auth.signals import deferred
from tap_tiktok_auth.wishes import Ask, Wishes, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.client import Client
    from tap_tiktok_auth.connections import Config, Connection
    from tap_tiktok_auth.lifecycle import Step
    from tap_tiktok_auth.records import PendingLogin, Record
    from tap_tiktok_auth.single_flight import SingleFlight
    from tap_tiktok_auth.store.contract import Store
    from tap_tiktok_auth.tokens import Token
    from tap_tiktok_auth.wishes import Outcome

#: Seconds between two looks for tokens that earlier processes could not store.
LOOK_EVERY = 1.0


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


class Broker(Forkable):
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
        self.roster = Roster(config, store)
        self._connect = connect
        self._client: Client | None = None
        self._wishes = Wishes(store, self.roster, config.refresh_margin)
        self._flight: SingleFlight | None = None
        self._looked_at = -math.inf
        self._lock = threading.Lock()
        self.follow_forks()

    def after_fork_in_child(self) -> None:
        """Have a lock that no thread of the parent holds."""
        self._lock = threading.Lock()

    @property
    def client(self) -> Client:
        """The HTTP client, made when it is first needed."""
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def close(self) -> None:
        """Close the connections to TikTok, if there are any."""
        if self._client is not None:
            self._client.close()

    def connection(self, name: str) -> Connection:
        """Return the connection of that name, from the config or from the store.

        Raises:
            ConfigurationError: Neither has it.
        """
        return self.roster.connection(name)

    def connections(self) -> list[Connection]:
        """Return all connections of the config and of the store, each once.

        Raises:
            ConfigurationError: There is none.
        """
        return self.roster.connections()

    def refuse_elsewhere(self, record: Record | PendingLogin) -> None:
        """Refuse to send a record's secrets to a host that they do not belong to.

        Raises:
            ConfigurationError: The settings name another one.
        """
        error = self.roster.elsewhere(record)
        if error is not None:
            raise error

    def api(self, connection: Connection) -> TokenApi:
        """Return the token system of a connection."""
        from tap_tiktok_auth.apis import api_for  # noqa: PLC0415  (not for a cached token)

        return api_for(connection.api, self.config)

    def outlook(self, connection: Connection, record: Record | None) -> Step:
        """Return what obtaining a token would begin with; nobody is asked, nothing changes."""
        return lifecycle.next_step(record, self._wishes.of(connection, record, Ask()))

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
        return self._held(connection, Ask(min_lifetime=min_lifetime, force=force, recheck=recheck))

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
        _teach_given(connection)
        return self._held(connection, Ask(login=True, login_seed_hash=seed_hash))

    def _held(self, connection: Connection, ask: Ask) -> Held:
        try:
            outcome = self._obtain(connection, ask)
        except TikTokAuthError as error:
            if isinstance(error, StoreError):
                self._looked_at = -math.inf
            raise error.of(connection.name) from None
        record = outcome.record
        self.refuse_elsewhere(record)  # another process may have renewed it with other settings
        if record.token is not None:
            from tap_tiktok_auth.redaction import teach  # noqa: PLC0415  (not for a fresh token)

            teach(record.token.access_token, record.token.refresh_token, record.app_secret)
        app = self.roster.app(connection, record)
        return Held(replace(connection, api=record.api, app=app), record, outcome.warning)

    def _obtain(self, connection: Connection, ask: Ask) -> Outcome:
        record = self.store.read(connection.name)
        ask, step = self._question(connection, record, ask)
        if (step.action != "use" or step.error or _is_unsettled(record)) and self._recover():
            record = self.store.read(connection.name)
            ask, step = self._question(connection, record, ask)
        if not step.spends:
            return settle(record, step)
        return self._renewals().renew(connection, ask)

    def _question(
        self, connection: Connection, record: Record | None, ask: Ask
    ) -> tuple[Ask, Step]:
        ask = replace(ask, seen=record.generation if record else 0)
        return ask, lifecycle.next_step(record, self._wishes.of(connection, record, ask))

    def _recover(self) -> int:
        """Take in tokens that earlier processes could not store; return how many.

        Asked for whenever the stored token is not simply used: another machine may have tried it
        in vain since, or a backup of the store may have been restored. One look serves all who ask
        at about the same time, unless the store failed this process meanwhile.
        """
        if time.monotonic() < self._looked_at + LOOK_EVERY:
            return 0
        self._looked_at = time.monotonic()
        from tap_tiktok_auth.store import recovery  # noqa: PLC0415  (not for a fresh token)

        return recovery.take_in(self.store)

    def _renewals(self) -> SingleFlight:
        # Not for a token that is fresh in the store: that answer comes without these imports.
        from tap_tiktok_auth.single_flight import SingleFlight  # noqa: PLC0415

        with self._lock:
            if self._flight is None:
                self._flight = SingleFlight(
                    self.config.request_timeout,
                    self.store,
                    self.roster,
                    self._wishes,
                    api=self.api,
                    client=lambda: self.client,
                    stop=self.stop,
                )
            return self._flight

    # Ending

    def forget(self, name: str) -> bool:
        """Remove a connection from the store once nobody renews it; False if there is none.

        Raises:
            TikTokAuthError: Another process renews it for long, or the store fails.
        """
        try:
            with deferred(self.stop):
                return self._renewals().forget(name)
        except TikTokAuthError as error:
            raise error.of(name) from None


def _is_unsettled(record: Record | None) -> bool:
    return record is not None and record.attempt is not None


def _teach_given(connection: Connection) -> None:
    """Have logging mask what a person typed: no setting has told it."""
    from tap_tiktok_auth.redaction import teach  # noqa: PLC0415  (not for a fresh token)

    app, seed = connection.app, connection.seed
    teach(app.secret if app else None)
    if seed is not None:
        teach(seed.auth_code, seed.code_verifier, seed.access_token, seed.refresh_token)
