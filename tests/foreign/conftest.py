"""A Business API that programs with a built-in host can reach."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.authenticator.loopback import Answer, Loopback, Received, envelope
from tests.certificates import server_context
from tests.foreign.proxy import Proxy

from .environments import Uv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator

# A project of its own, with a suite of its own: see test_wheel.py.
collect_ignore = ["tap-reports"]

HOST = "business-api.tiktok.com"
API = "/open_api/v1.3"


@dataclass(frozen=True)
class BusinessApi:
    """The simulator under TikTok's own host name.

    Attributes:
        host: What arrived there.
        proxy: The way there, which refuses all other hosts.
        environment: Variables that lead `requests` there.
    """

    host: Loopback
    proxy: Proxy
    environment: dict[str, str]


@pytest.fixture(scope="session")
def uv() -> Uv:
    """Return the uv of the scripts."""
    return Uv()


@pytest.fixture
def business_api(tiktok_simulator: Simulator, tmp_path: Path) -> Iterator[BusinessApi]:
    """Return the simulator under TikTok's own host name.

    Beside what the simulator serves it has the report and campaign endpoints, without any rows.
    """
    keys = tmp_path / "tls"
    keys.mkdir()
    context, trusted = server_context(HOST, keys)

    def no_rows(request: Received) -> Answer:
        live = tiktok_simulator.token_state(request.token or "") == "live"
        answer = envelope(0, list=[], page_info={"total_number": 0}) if live else envelope(40105)
        content = {**json.loads(answer.body), "message": "OK"}
        return replace(answer, body=json.dumps(content).encode())

    with Loopback(tiktok_simulator.url, context) as host, Proxy(HOST, host.port) as proxy:
        # TikTok's gateway forgives a GET the slash that is missing here; the simulator does not.
        host.answers[f"{API}/user/info"] = lambda request: host.pass_on(
            replace(request, path=f"{API}/user/info/")
        )
        for path in ("campaign/get", "adgroup/get", "ad/get", "report/integrated/get"):
            host.answers[f"{API}/{path}/"] = no_rows
        variables = {"HTTPS_PROXY": proxy.url, "REQUESTS_CA_BUNDLE": str(trusted)}
        yield BusinessApi(host, proxy, variables)
