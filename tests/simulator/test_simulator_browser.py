"""The consent pages in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tap_tiktok_auth.simulator import Simulator

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_person_decides_on_a_phone(
    browser: Browser, tiktok_simulator: Simulator, decision: str
) -> None:
    """On a narrow screen the page fits, breaks no policy, and carries the answer back."""
    app = tiktok_simulator.app("marketing")
    with Simulator() as listener:  # stands in for the client, on another origin
        redirect_uri = f"{listener.url}/callback"
        query = {"app_id": app.app_id, "redirect_uri": redirect_uri, "state": "s"}
        page = browser.new_page(viewport={"width": 360, "height": 640})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"{tiktok_simulator.url}/portal/auth?{urlencode(query)}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert complaints == []
        page.click(f"#{decision}")
        page.wait_for_url(f"{redirect_uri}?*")
        callback = parse_qs(urlsplit(page.url).query)
    assert callback["state"] == ["s"]
    assert ("auth_code" in callback) is (decision == "allow")
    assert ("error" in callback) is (decision == "deny")
