"""The Singer SDK's own test suite, against the simulator, over every token system."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.settings import PER_CONNECTION
from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.tap import TapTikTokAuth

if TYPE_CHECKING:
    from collections.abc import Iterator

# One worker: the SDK's tests of attributes look at the records that its earlier tests left.
pytestmark = pytest.mark.xdist_group("singer")

# The SDK's factory wants the config when this module is imported, before any fixture runs. So the
# simulator starts here; the fixture below stops it.
_SIMULATOR = Simulator(seed="singer").start()
# Made by the first test that needs it, so that a process that runs none leaves nothing behind.
_FOLDER = Path(tempfile.gettempdir()) / f"tap-tiktok-auth-singer-{uuid4().hex}"


def _connection(api: str) -> dict[str, Any]:
    settings = _SIMULATOR.settings(api)
    own = {name: value for name, value in settings.items() if name in PER_CONNECTION}
    return {"name": api, **own, "api": api}


CONFIG: dict[str, Any] = {
    "connections": [_connection(api) for api in APIS],
    "business_api_url": _SIMULATOR.url,
    "login_kit_api_url": _SIMULATOR.url,
    "tiktok_url": _SIMULATOR.url,
    "token_store": f"sqlite:///{_FOLDER}/tokens.db",
    "token_store_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
}


@pytest.fixture(scope="module", autouse=True)
def _stop_simulator() -> Iterator[None]:
    yield
    _SIMULATOR.stop()
    shutil.rmtree(_FOLDER, ignore_errors=True)


_Suite = get_tap_test_class(
    TapTikTokAuth,
    config=CONFIG,
    parse_env_config=False,
    suite_config=SuiteConfig(max_records_limit=50),
)


# The SDK warns of an attribute that is null in all records, as that of a last error is. It keeps
# the values of the first attribute that it looks at for all others: the order decides if it warns.
@pytest.mark.filterwarnings("ignore:No records were available to test")
class TestTapTikTokAuth(_Suite):  # type: ignore[misc,valid-type]  # made by the SDK's factory
    """The SDK's tests of the tap, of each stream and of each attribute."""


def _run() -> None:
    with closing(TapTikTokAuth(config=CONFIG, parse_env_config=False)) as tap:
        tap.sync_all()


def test_primary_keys_are_unique(capsys: pytest.CaptureFixture[str]) -> None:
    """No stream emits two records with the same key.

    The SDK's own test of this compares generator objects, and so cannot fail.
    """
    _run()

    messages = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    keys = {m["stream"]: m["key_properties"] for m in messages if m["type"] == "SCHEMA"}
    seen = Counter(
        (m["stream"], *(m["record"][key] for key in keys[m["stream"]]))
        for m in messages
        if m["type"] == "RECORD"
    )
    assert {stream for stream, *_ in seen} >= {"advertiser_ids", "token_metadata"}
    assert [key for key, count in seen.items() if count > 1] == []


def test_all_syncs_of_this_module_spent_each_code_once() -> None:
    """However often the tap runs with the same codes, TikTok sees each of them once."""
    for _ in range(2):
        _run()

    exchanges = _SIMULATOR.calls(action="exchange")
    assert len(exchanges) == len(APIS)
    assert all(call.status == 200 for call in exchanges)
