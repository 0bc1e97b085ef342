"""Which connections there are, and with which app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.models import App, Connection, is_name
from tap_tiktok_auth.config.parsing import check_name
from tap_tiktok_auth.errors import ConfigurationError

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
        record = self._store.read(name)
        if record is not None:
            return _stored_connection(record, configured)
        if configured is not None:
            return configured
        from tap_tiktok_auth.redaction import repeatable  # noqa: PLC0415  (in this error only)

        raise ConfigurationError(
            f"there is no connection named {repeatable(name)}, neither in the config nor in "
            f"{self._store.location}",
            next_step=self.meant(name)
            or "Add it to the setting connections, or run: tiktok-auth login " + repeatable(name),
        )

    def meant(self, name: str) -> str | None:
        """Ask whether connections that are spelled like *name* were meant; None if none is."""
        from difflib import get_close_matches  # noqa: PLC0415  (after a mistake only)

        known = {connection.name for connection in self._config.connections}
        known |= {record.name for record in self._store.records(lambda *_: None)}
        folded = {other.casefold(): other for other in sorted(known)}
        alike = [folded[found] for found in get_close_matches(name.casefold(), folded)]
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
                import logging  # noqa: PLC0415  (not for a fresh token)

                logging.getLogger(__name__).warning("%s", error)

        stored = {record.name: record for record in self._store.records(note)}
        found = [
            _stored_connection(stored[c.name], c) if c.seed is None and c.name in stored else c
            for c in self._config.connections
        ]
        named = {connection.name for connection in found}
        found += [
            _stored_connection(record)
            for name, record in stored.items()
            if name not in named and self._is_usable(record)
        ]
        found += [connection for connection in damaged if connection.name not in named]
        if not found:
            raise ConfigurationError(
                "there is no connection",
                next_step="Set app_id, app_secret and auth_code, or run: tiktok-auth login NAME. "
                f"Looked at: the config, {self._store.location}",
            )
        return [(c, stored.get(c.name) or errors.get(c.name)) for c in found]

    def app(self, connection: Connection, record: StoredConnection | None) -> App | None:
        """Return the app to use: the config's where it is the one that the tokens belong to."""
        if record is None or not record.app_id or record.token is None:
            return connection.app
        for app in (connection.app, self._config.defaults.app()):
            if app is not None and app.app_id == record.app_id:
                return app
        if record.app_secret is not None:
            return App(record.app_id, record.app_secret)
        return connection.app

    def elsewhere(self, record: StoredConnection | PendingLogin) -> ConfigurationError | None:
        """Return why the secrets of a record must not be sent to the host of the settings, if so.

        Whatever sends one of them, a token or the stored app's secret, asks here before.
        """
        return self._config.hosts.refusal(record.origin, APIS.platform(record.api))

    def _is_usable(self, record: StoredConnection) -> bool:
        """Whether a stored connection that the config does not name is part of a run."""
        shared = self._config.defaults.app()
        known = record.app_secret is not None or (
            shared is not None and shared.app_id == record.app_id
        )
        return known and record.generation > 0


def _stored_connection(
    record: StoredConnection, configured: Connection | None = None
) -> Connection:
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
