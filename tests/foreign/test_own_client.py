"""Our own client under TikTok's own host name: TLS, and a proxy in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis.base import Request
from tap_tiktok_auth.http.client import Client
from tests.foreign.conftest import API, HOST

if TYPE_CHECKING:
    import pytest

    from tap_tiktok_auth.simulator import Simulator
    from tests.foreign.conftest import BusinessApi


def test_reads_share_a_tunnel_and_token_requests_do_not(
    business_api: BusinessApi, tiktok_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each code travels through a tunnel of its own, and is answered by TikTok's host."""
    for name, value in business_api.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "")
    app = tiktok_simulator.app("marketing")
    token = tiktok_simulator.grant("marketing").access_token
    url = f"https://{HOST}{API}"
    read = Request("read", "GET", f"{url}/user/info/", headers={"Access-Token": token})
    client = Client(timeout=10.0)

    def exchange() -> int:
        body = {
            "app_id": app.app_id,
            "secret": app.app_secret,
            "auth_code": tiktok_simulator.authorize("marketing"),
        }
        address = f"{url}/oauth2/access_token/"
        answer = client.send(Request("exchange", "POST", address, json=body, spends=True))
        return int(json.loads(answer.body)["code"])

    try:
        assert [json.loads(client.send(read).body)["code"] for _ in range(3)] == [0, 0, 0]
        assert business_api.proxy.asked == [f"{HOST}:443"]
        assert [exchange() for _ in range(3)] == [0, 0, 0]
        assert business_api.proxy.asked == [f"{HOST}:443"] * 4
    finally:
        client.close()
