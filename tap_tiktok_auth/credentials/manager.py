"""Fresh tokens for connections: from the store if it can be, else by a renewal.

The token manager knows neither Singer nor a terminal. A token that is fresh in the store comes
without the imports that a renewal needs.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis.platforms import STRANGER
from tap_tiktok_auth.credentials.lifecycle import TokenOptions, decide, without_sending
from tap_tiktok_auth.credentials.registry import ConnectionRegistry
from tap_tiktok_auth.errors import StoreError, TikTokAuthError, redaction, warn
from tap_tiktok_auth.process import Forkable, Lock, Stop
from tap_tiktok_auth.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.apis.base import Identity, TokenApi, TokenResponse
    from tap_tiktok_auth.config.models import Config, Connection
    from tap_tiktok_auth.credentials.lifecycle import Decision
    from tap_tiktok_auth.credentials.models import Credentials, StoredConnection
    from tap_tiktok_auth.credentials.renewal import Renewals
    from tap_tiktok_auth.http.client import Client
    from tap_tiktok_auth.store.contract import Store

#: Seconds between two tries to deliver an answer that the store did not take.
DELIVER_EVERY = 5.0


class TokenManager(Forkable):
    """Keeps the tokens of connections fresh.

    Args:
        config: The checked config.
        store: The token store.
        stop: Shared with the store: set while the process is told to stop.

    Attributes:
        registry: The connections of the config and of the store.
    """

    def __init__(self, config: Config, store: Store, stop: Stop | None = None) -> None:
        self.config = config
        self.store = store
        self.stop = stop or Stop()
        self.registry = ConnectionRegistry(config, store)
        self._renewals: Renewals | None = None
        self._closed = threading.Event()
        self._delivery: threading.Thread | None = None
        self._lock = Lock()
        self.follow_forks()

    def after_fork_in_child(self) -> None:
        """Begin anew: the child was not told to stop, and has no thread that delivers."""
        self.stop.clear()
        self._closed, self._delivery = threading.Event(), None

    def close(self) -> None:
        """Close the connections to TikTok, and store what the store did not take before."""
        self._closed.set()
        if self._delivery is not None and not self.stop.is_set():
            with suppress(TikTokAuthError):
                self.renewals().take_in()
        if self._renewals is not None:
            self._renewals.close()

    @property
    def client(self) -> Client:
        """The HTTP client, made when it is first needed."""
        return self.renewals().client

    def renewals(self) -> Renewals:
        """Return what renews tokens, loaded when it is first needed."""
        from tap_tiktok_auth.credentials.renewal import Renewals  # noqa: PLC0415  (not for a fresh token)

        with self._lock.held():
            if self._renewals is None:
                self._renewals = Renewals(self.config, self.store, self.registry, self.stop)
            return self._renewals

    def api(self, connection: Connection) -> TokenApi:
        """Return the token system of a connection."""
        return self.config.token_api(connection.api)

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

    def outlook(self, connection: Connection, stored: StoredConnection | None) -> Decision:
        """Return what getting a token would begin with; nobody is asked, nothing changes."""
        return decide(stored, TokenOptions(), self.registry.circumstances(connection, stored))

    def get_token(
        self,
        connection: Connection,
        *,
        min_lifetime: float = 0.0,
        force: bool = False,
        since: float | None = None,
        recheck: bool = False,
        settle: bool = False,
        confirmed: Callable[[str, Identity], None] = lambda *_: None,
    ) -> Credentials:
        """Return credentials whose token works, renewing or exchanging only if it must.

        However many threads, processes and machines ask at once, TikTok is asked once. What the
        arguments mean, `TokenOptions` says.

        Raises:
            TikTokAuthError: There is no token that works; the error names the connection.
        """
        options = TokenOptions(
            min_lifetime=min_lifetime,
            force=force,
            since=since,
            recheck=recheck,
            settle=settle,
            confirmed=confirmed,
        )
        return self._get(connection, options)

    def log_in(
        self,
        connection: Connection,
        *,
        remember: Connection | None = None,
        approve: Callable[[TokenResponse], None] = lambda _: None,
        confirmed: Callable[[str, Identity], None] = lambda *_: None,
    ) -> Credentials:
        """Start a new chain from the connection's seed, because a person logged in.

        Args:
            connection: The connection with the new seed and its app.
            remember: The connection as the config has it: its seed counts as taken, so that it
                does not replace what the person just did.
            approve: Called with what TikTok granted, before it is stored; what it raises leaves
                the connection as it was.
            confirmed: Called with an access token that TikTok had to confirm on the way, and with
                what it said about it.

        Raises:
            TikTokAuthError: TikTok refuses the seed, or the store fails.
        """
        app, seed = connection.app, connection.seed
        redaction().teach(app.secret if app else None)
        if seed is not None:
            given = (seed.auth_code, seed.code_verifier, seed.access_token, seed.refresh_token)
            redaction().teach(*given)
        known = remember.seed if remember else None
        seed_hash = self.store.digest(known.material) if known else None
        options = TokenOptions(
            login=True, configured_seed_hash=seed_hash, approve=approve, confirmed=confirmed
        )
        return self._get(connection, options)

    def _get(self, connection: Connection, options: TokenOptions) -> Credentials:
        try:
            credentials = self._stored_or_renewed(connection, options)
            stored = credentials.stored
            # Another process may have renewed it with other settings.
            self.registry.refuse_other_host(stored)
        except TikTokAuthError as error:
            if isinstance(error, StoreError):
                self._deliver_later()
            raise error.of(connection.name) from None
        if stored.token is not None:
            token = stored.token
            redaction().teach(token.access_token, token.refresh_token, stored.app_secret)
        app = self.registry.app(connection, stored)
        return replace(credentials, connection=replace(connection, api=stored.api, app=app))

    def _stored_or_renewed(self, connection: Connection, options: TokenOptions) -> Credentials:
        stored = self.store.read(connection.name)
        options, decision = self._decided(connection, stored, options)
        unsettled = stored is not None and stored.attempt is not None
        if decision.action != "use" or decision.error or unsettled:
            self.renewals().take_in()
            stored = self.store.read(connection.name)
            options, decision = self._decided(connection, stored, options)
        if decision.sends:
            return self.renewals().renew(connection, options)
        return without_sending(connection, stored, decision)

    def _decided(
        self, connection: Connection, stored: StoredConnection | None, options: TokenOptions
    ) -> tuple[TokenOptions, Decision]:
        options = replace(options, seen=stored.generation if stored else 0)
        return options, decide(stored, options, self.registry.circumstances(connection, stored))

    # An answer that the store did not take

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
                self.renewals().take_in()
                return

    # Ending

    def revoke(self, connection: Connection) -> StoredConnection:
        """Revoke a connection's token at TikTok and forget its secrets; the row stays.

        Raises:
            TikTokAuthError: There is no token, TikTok refuses, or the store fails.
        """
        try:
            return self.renewals().revoke(connection)
        except TikTokAuthError as error:
            raise error.of(connection.name) from None

    def forget(self, name: str) -> bool:
        """Remove a connection, and its recovery files, once nobody renews it.

        Returns:
            Whether there was one.

        Raises:
            TikTokAuthError: Another process renews it for long, or the store fails.
        """
        try:
            return self.renewals().forget(name)
        except TikTokAuthError as error:
            raise error.of(name) from None


@contextmanager
def open_manager(config: Config) -> Iterator[TokenManager]:
    """Open the token store and return a manager over it; close everything at the end.

    Raises:
        TikTokAuthError: The store cannot be used.
    """
    for setting, host in config.hosts.strangers().items():
        warn("%s", STRANGER.format(setting=setting, host=host))
    stop = Stop()
    store = open_store(config.token_store, config.token_store_key, stop=stop)
    try:
        manager = TokenManager(config, store, stop)
        try:
            yield manager
        finally:
            manager.close()
    finally:
        store.close()
