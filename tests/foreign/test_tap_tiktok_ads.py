"""`tiktok-auth exec` feeds an unmodified tap from PyPI, which reads its token from a config file.

The tap has TikTok's host built in, so its requests are led to the simulator by a proxy.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .environments import ROOT

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator

    from .conftest import BusinessApi
    from .environments import Uv

pytestmark = [
    pytest.mark.meltano,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("foreign"),
]

TAP = "tap-tiktok-ads==1.2.1"
TIKTOK_AUTH = Path(sys.executable).with_name("tiktok-auth")


def wrapper() -> str:
    """Return the script `with-token.sh` of the documentation."""
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```bash\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return str(script)


def run(
    programs: Path, settings: dict[str, Any], api: BusinessApi, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run the tap under `tiktok-auth exec`."""
    inner = ["bash", "-c", wrapper(), "with-token.sh", *arguments]
    variables = {f"TAP_TIKTOK_AUTH_{k.upper()}": v for k, v in settings.items()}
    return subprocess.run(
        [TIKTOK_AUTH, "exec", "default", "--", *inner],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": f"{programs}:{os.environ['PATH']}", **api.environment, **variables},
    )


@pytest.fixture(name="programs")
def _programs(uv: Uv) -> Path:
    return uv.kept_venv(TAP)


def test_unmodified_tap_gets_rows(
    programs: Path,
    tiktok_connection: dict[str, Any],
    tiktok_simulator: Simulator,
    business_api: BusinessApi,
    tmp_path: Path,
) -> None:
    """The tap discovers and syncs with our token, which is in no file and in no output."""
    found = run(programs, tiktok_connection, business_api, "--discover")
    assert found.returncode == 0, found.stderr
    catalog = json.loads(found.stdout)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] == []:
                entry["metadata"]["selected"] = stream["tap_stream_id"] == "advertisers"
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(catalog))

    synced = run(programs, tiktok_connection, business_api, "--catalog", path)

    assert synced.returncode == 0, synced.stderr
    messages = [json.loads(line) for line in synced.stdout.splitlines()]
    records = [m["record"] for m in messages if m["type"] == "RECORD"]
    assert {r["advertiser_id"] for r in records} == set(map(str, tiktok_simulator.advertiser_ids))

    tokens = {request.token for request in business_api.host.received}
    (token,) = tokens
    assert token is not None
    assert tiktok_simulator.token_state(token) == "live"
    assert tiktok_simulator.count("exchange") == 1
    assert set(business_api.proxy.asked) == {"business-api.tiktok.com:443"}
    outputs = [found.stdout, found.stderr, synced.stdout, synced.stderr]
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not [text for text in outputs if token in text]
    assert not [content for content in files if token.encode() in content]


def test_tap_does_not_start_without_a_token(
    programs: Path,
    tiktok_connection: dict[str, Any],
    business_api: BusinessApi,
) -> None:
    """Where a person must authorise, exec exits with 3 and the tap sends nothing."""
    settings = {**tiktok_connection, "auth_code": "used-up"}
    done = run(programs, settings, business_api, "--discover")
    assert done.returncode == 3
    assert "tiktok-auth login default" in done.stderr
    assert business_api.host.received == []
