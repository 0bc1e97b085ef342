"""Putting the parts together: config, store, client and broker of one run."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_tiktok_auth.broker import Broker
from tap_tiktok_auth.destinations import STRANGER, strangers
from tap_tiktok_auth.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.client import Client
    from tap_tiktok_auth.connections import Config
    from tap_tiktok_auth.store import Store


@contextmanager
def session(config: Config) -> Iterator[Broker]:
    """Open the token store and return a broker over it; close everything at the end.

    Raises:
        TikTokAuthError: The store cannot be used.
    """
    for setting, host in strangers(config.hosts).items():
        import logging  # noqa: PLC0415  (not for a fresh token)

        logging.getLogger(__name__).warning("%s", STRANGER.format(setting=setting, host=host))
    stop = threading.Event()
    store = open_store(config.token_store, config.token_store_key, stop=stop)
    try:
        broker = new_broker(config, store, stop)
        try:
            yield broker
        finally:
            broker.close()
    finally:
        store.close()


def new_broker(config: Config, store: Store, stop: threading.Event | None = None) -> Broker:
    """Return a broker over an open store, to which *stop* has been given too."""
    stop = stop or threading.Event()

    def connect() -> Client:
        from tap_tiktok_auth.client import Client  # noqa: PLC0415  (not for a cached token)

        return Client(
            timeout=config.request_timeout,
            requests_per_second=config.requests_per_second,
            clock=store.now,
            stop=stop,
            connections=config.parallelism,
        )

    return Broker(config, store, connect, stop)
