"""Which connections there are, and with which app their tokens are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.config.models import App, Connection
from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.models import StoredConnection, Token
from tap_tiktok_auth.credentials.registry import ConnectionRegistry
from tap_tiktok_auth.store import open_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("own", "app_id", "app_secret", "expected"),
    [
        # The app of the tokens, wherever its secret is known from.
        (App("7001", "own"), "7001", "stored", App("7001", "own")),
        (App("7009", "own"), "7002", "stored", App("7002", "shared")),
        (App("7009", "own"), "7001", "stored", App("7001", "stored")),
        (None, "7001", "stored", App("7001", "stored")),
        # Nobody knows it: TikTok's refusal will tell.
        (App("7009", "own"), "7001", None, App("7009", "own")),
        (None, "7001", None, None),
    ],
)
def test_the_app_of_stored_tokens(
    tmp_path: Path,
    own: App | None,
    app_id: str,
    app_secret: str | None,
    expected: App | None,
) -> None:
    """A token is used with the app that it was granted to, and with no other's secret."""
    address = f"sqlite:///{tmp_path}/tokens.db"
    config = parse({"token_store": address, "app_id": "7002", "app_secret": "shared"})
    connection = Connection("acme", "accounts", own)
    stored = StoredConnection(
        "acme", "accounts", app_id, 1, Token("act", "rft"), app_secret=app_secret
    )
    store = open_store(address, config.token_store_key)
    try:
        assert ConnectionRegistry(config, store).app(connection, stored) == expected
    finally:
        store.close()
