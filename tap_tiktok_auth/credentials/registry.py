"""Which connections there are, and with which app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.models import App, Connection, is_name
from tap_tiktok_auth.config.parsing import check_name
from tap_tiktok_auth.credentials.lifecycle import Circumstances
from tap_tiktok_auth.errors import ConfigurationError, redaction, spelled_alike, warn

if TYPE_CHECKING:
    from tap_tiktok_auth.config.models import Config
    from tap_tiktok_auth.credentials.models import PendingLogin, StoredConnection
    from tap_tiktok_auth.errors import StoreDamaged
    from tap_tiktok_auth.store.contract import Store


class ConnectionRegistry:
    """The connections of the config and of the store.

    Args:
        config: The checked config.
        store: The token store.
    """

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store

    def connection(self, name: str) -> Connection:
        """Return the connection of that name.

        Raises:
            ConfigurationError: Neither the config nor the store has it.
        """
        configured = self._config.connection(name)
        if configured is not None and configured.seed is not None:
            return configured
        if configured is None:
            check_name(name)
        stored = self._store.read(name)
        if stored is not None:
            return _stored_connection(stored, configured)
        if configured is not None:
            return configured
        shown = redaction().repeatable(name)
        raise ConfigurationError(
            f"there is no connection named {shown}, neither in the config nor in "
            f"{self._store.location}",
            next_step=self.meant(name)
            or "Add it to the setting connections, or run: tiktok-auth login " + shown,
        )

    def meant(self, name: str) -> str | None:
        """Ask whether connections that are spelled like *name* were meant; None if none is."""
        known = {connection.name for connection in self._config.connections}
        known |= {stored.name for stored in self._store.records(lambda *_: None)}
        alike = spelled_alike(name, known)
        if not alike:
            return None
        return f"Did you mean {' or '.join(alike)}? All are listed by: tiktok-auth status"

    def connections(self) -> list[Connection]:
        """Return all connections, each once.

        Raises:
            ConfigurationError: There is none.
        """
        return [connection for connection, _ in self.survey()]

    def survey(self) -> list[tuple[Connection, StoredConnection | StoreDamaged | None]]:
        """Return all connections, each once, with what one look into the store tells of them.

        What another config put into the store, with an app that this one does not know, is not
        this one's business.

        Raises:
            ConfigurationError: There is none.
        """
        damaged: list[Connection] = []
        errors: dict[str, StoreDamaged] = {}

        def note(name: str, api: str, error: StoreDamaged) -> None:
            if is_name(name):
                errors[name] = error
                damaged.append(Connection(name, api, configured=False))
            else:
                warn("%s", error)

        kept = {stored.name: stored for stored in self._store.records(note)}
        found = [
            _stored_connection(kept[c.name], c) if c.seed is None and c.name in kept else c
            for c in self._config.connections
        ]
        named = {connection.name for connection in found}
        found += [
            _stored_connection(stored)
            for name, stored in kept.items()
            if name not in named and self._is_usable(stored)
        ]
        found += [connection for connection in damaged if connection.name not in named]
        if not found:
            raise ConfigurationError(
                "there is no connection",
                next_step="Set app_id, app_secret and auth_code, or run: tiktok-auth login NAME. "
                f"Looked at: the config, {self._store.location}",
            )
        return [(c, kept.get(c.name) or errors.get(c.name)) for c in found]

    def app(self, connection: Connection, stored: StoredConnection | None) -> App | None:
        """Return the app to use: the config's where it is the one that the tokens belong to."""
        if stored is None or not stored.app_id or stored.token is None:
            return connection.app
        for app in (connection.app, self._config.defaults.app()):
            if app is not None and app.app_id == stored.app_id:
                return app
        if stored.app_secret is not None:
            return App(stored.app_id, stored.app_secret)
        return connection.app

    def circumstances(
        self, connection: Connection, stored: StoredConnection | None
    ) -> Circumstances:
        """Return what a decision for a connection depends on, of which *stored* is in the store."""
        seed, digest = connection.seed, self._store.digest
        seed_key = refresh_key = None
        if seed is not None:
            extra = f"{connection.redirect_uri}\0{seed.code_verifier}\0{connection.api}"
            seed_key = digest(f"seed\0{seed.material}\0{_as_text(connection.app)}\0{extra}")
        if stored is not None and stored.token is not None and stored.token.refresh_token:
            owner = _as_text(self.app(connection, stored))
            refresh_key = digest(f"refresh\0{stored.token.refresh_token}\0{owner}")
        return Circumstances(
            now=self._store.now(),
            margin=self._config.refresh_margin,
            seed_kind=seed.kind if seed else None,
            seed_hash=digest(seed.material) if seed else None,
            seed_key=seed_key,
            refresh_key=refresh_key,
            other_host=self.other_host(stored) if stored else None,
        )

    def other_host(self, stored: StoredConnection | PendingLogin) -> ConfigurationError | None:
        """Return why the stored secrets must not be sent to the host of the settings, if so."""
        return self._config.hosts.refusal(stored.origin, APIS.platform(stored.api))

    def refuse_other_host(self, stored: StoredConnection | PendingLogin) -> None:
        """Refuse to send stored secrets, a token or an app's, to a host that is not theirs.

        Raises:
            ConfigurationError: The settings name another one.
        """
        error = self.other_host(stored)
        if error is not None:
            raise error

    def _is_usable(self, stored: StoredConnection) -> bool:
        """Whether a stored connection that the config does not name is part of a run."""
        shared = self._config.defaults.app()
        known = stored.app_secret is not None or (
            shared is not None and shared.app_id == stored.app_id
        )
        return known and stored.generation > 0


def _stored_connection(
    stored: StoredConnection, configured: Connection | None = None
) -> Connection:
    """Return a connection that lives in the store."""
    app = configured.app if configured and configured.app else None
    if app is None and stored.app_secret is not None:
        app = App(stored.app_id, stored.app_secret)
    return Connection(
        name=stored.name,
        api=stored.api,
        app=app,
        redirect_uri=(configured.redirect_uri if configured else None) or stored.redirect_uri,
        advertiser_ids=configured.advertiser_ids if configured else (),
        configured=configured is not None,
    )


def _as_text(app: App | None) -> str:
    return f"{app.app_id}\0{app.secret}" if app else ""
