"""Putting the parts together: config, store, client and manager of one run."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis.platforms import STRANGER
from tap_tiktok_auth.credentials.manager import TokenManager
from tap_tiktok_auth.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.config.models import Config
    from tap_tiktok_auth.http.client import Client
    from tap_tiktok_auth.store import Store


@contextmanager
def session(config: Config) -> Iterator[TokenManager]:
    """Open the token store and return a manager over it; close everything at the end.

    Raises:
        TikTokAuthError: The store cannot be used.
    """
    for setting, host in config.hosts.strangers().items():
        import logging  # noqa: PLC0415  (not for a fresh token)

        logging.getLogger(__name__).warning("%s", STRANGER.format(setting=setting, host=host))
    stop = threading.Event()
    store = open_store(config.token_store, config.token_store_key, stop=stop)
    try:
        manager = new_manager(config, store, stop)
        try:
            yield manager
        finally:
            manager.close()
    finally:
        store.close()


def new_manager(config: Config, store: Store, stop: threading.Event | None = None) -> TokenManager:
    """Return a manager over an open store, to which *stop* has been given too."""
    stop = stop or threading.Event()

    def connect() -> Client:
        from tap_tiktok_auth.http.client import Client  # noqa: PLC0415  (not for a cached token)

        return Client(
            timeout=config.request_timeout,
            requests_per_second=config.requests_per_second,
            clock=store.now,
            stop=stop,
            connections=config.parallelism,
        )

    return TokenManager(config, store, connect, stop)
