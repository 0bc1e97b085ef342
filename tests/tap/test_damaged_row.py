"""A damaged row in the store is that connection's trouble alone."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.session import session
from tap_tiktok_auth.tap import TapTikTokAuth

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator


@pytest.fixture
def config(tiktok_simulator: Simulator, tmp_path: Path) -> dict[str, Any]:
    """Two connections over one store, both exchanged."""
    own = tiktok_simulator.settings("marketing")
    entries = [
        {
            "name": name,
            "app_id": own["app_id"],
            "app_secret": own["app_secret"],
            "auth_code": tiktok_simulator.authorize("marketing"),
        }
        for name in ("good", "bad")
    ]
    config = {
        "connections": entries,
        "business_api_url": tiktok_simulator.url,
        "token_store": f"sqlite:///{tmp_path / 'tokens.db'}",
        "requests_per_second": 1000,
    }
    with session(parse(config)) as manager:
        for connection in manager.connections():
            manager.get_token(connection)
    return config


@pytest.mark.parametrize("configured", [True, False])
def test_the_others_are_emitted(
    config: dict[str, Any],
    configured: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A run with a damaged row emits the other connection, marks the bad one, and exits 1."""
    with closing(sqlite3.connect(tmp_path / "tokens.db")) as database, database:
        database.execute("UPDATE connections SET app_id = 'another' WHERE name = 'bad'")
    if not configured:
        config = {**config, "connections": config["connections"][:1]}

    tap = TapTikTokAuth(config=config)
    with pytest.raises(SystemExit, match="1"):
        tap.complete(tap.sync_all)

    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    by_stream = [(r["stream"], r["record"]) for r in records if r["type"] == "RECORD"]
    assert {r["connection"] for s, r in by_stream if s == "advertiser_ids"} == {"good"}
    metadata = {r["connection"]: r for s, r in by_stream if s == "token_metadata"}
    assert metadata["good"]["status"] == "active"
    assert "belongs elsewhere" in metadata["bad"]["last_error_message"]
    schemas = {r["stream"]: r["schema"] for r in records if r["type"] == "SCHEMA"}
    for stream, record in by_stream:
        jsonschema.validate(record, schemas[stream])
