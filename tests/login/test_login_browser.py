"""A person with a real browser, from the consent page to the end of the login.

With TIKTOK_AUTH_SCREENSHOTS set to a folder, pictures of the pages are left there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.login.people import LoginProcess, environment, free_port, run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tap_tiktok_auth.simulator import Simulator

pytestmark = pytest.mark.browser

PHONE, DESKTOP = 360, 1280


class Person:
    """Somebody with a browser window of some width.

    Args:
        browser: The browser.
        width: Width of the window in pixels.
        scheme: Light or dark.
    """

    def __init__(
        self, browser: Browser, width: int, scheme: Literal["light", "dark"] = "light"
    ) -> None:
        self.complaints: list[str] = []
        self._context = browser.new_context(
            viewport={"width": width, "height": 720}, color_scheme=scheme
        )
        self.page: Page = self._context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self._width = width

    def look(self, name: str) -> str:
        """Check that the page fits and is clean; take a picture; return its text."""
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self._width
        folder = os.environ.get("TIKTOK_AUTH_SCREENSHOTS")
        if folder:
            path = Path(folder) / f"{name}-{self._width}.png"
            self.page.screenshot(path=path, full_page=True)
        return self.page.inner_text("main")

    def leave(self) -> None:
        """Close the window."""
        self._context.close()


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("api", ["marketing", "login_kit"])
def test_a_person_allows(
    browser: Browser, tiktok_simulator: Simulator, tmp_path: Path, api: str, width: int
) -> None:
    """One click on Allow, and the page says who is connected; the code is nowhere to be seen."""
    variables = environment(tiktok_simulator, tmp_path, api)
    port = str(free_port())
    person = Person(browser, width)
    with LoginProcess(variables, "acme", "--no-browser", "--port", port) as login:
        person.page.goto(login.url)
        person.look(f"consent-{api}")
        person.page.click("#allow")
        person.page.wait_for_selector("#name")
        shown = person.look(f"connected-{api}")
        code, out, err = login.end()
    assert code == 0, err
    assert "Connected" in shown
    assert "acme" in shown
    assert "Connected: acme" in out
    assert person.page.url.endswith(f":{port}/callback/?page=outcome")
    assert person.page.evaluate("document.referrer") == ""
    assert person.complaints == []
    person.page.go_back()
    assert "code=" not in person.page.url
    assert person.page.url == login.consent
    assert run(variables, "token", "acme").exit_code == 0
    person.leave()


def test_a_person_denies(browser: Browser, tiktok_simulator: Simulator, tmp_path: Path) -> None:
    """One click on Deny, and the page says kindly that nothing has changed."""
    variables = environment(tiktok_simulator, tmp_path)
    person = Person(browser, PHONE, "dark")
    port = ("--port", str(free_port()))
    with LoginProcess(variables, "acme", "--no-browser", *port) as login:
        person.page.goto(login.url)
        person.page.click("#deny")
        person.page.wait_for_url("**/callback/?page=outcome")
        shown = person.look("denied")
        code, _, err = login.end()
    assert code == 3
    assert "Not connected" in shown
    assert "tiktok-auth login acme" in shown
    assert "nothing has changed" in err
    person.leave()


def test_a_person_comes_from_an_old_page(
    browser: Browser, tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """Who allows on the page of an earlier login sees why it does not count; the new one works."""
    variables = environment(tiktok_simulator, tmp_path)
    port = ("--port", str(free_port()))
    with LoginProcess(variables, "acme", "--no-browser", *port) as old:
        old_url = old.consent
    person = Person(browser, PHONE)
    with LoginProcess(variables, "acme", "--no-browser", *port) as login:
        person.page.goto(old_url)
        person.page.click("#allow")
        person.page.wait_for_url("**/callback/?page=other-login")
        shown = person.look("wrong-state")
        person.page.goto(login.url)
        person.page.click("#allow")
        person.page.wait_for_selector("#name")
        code, _, err = login.end()
    assert code == 0, err
    assert "another login" in shown
    person.leave()


def test_a_person_opens_tiktoks_own_address(
    browser: Browser, tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """A browser that did not come by the start page keeps its address, which can be pasted."""
    variables = environment(tiktok_simulator, tmp_path)
    person = Person(browser, PHONE)
    port = ("--port", str(free_port()))
    with LoginProcess(variables, "acme", "--no-browser", *port) as login:
        person.page.goto(login.consent)
        person.page.click("#allow")
        person.page.wait_for_url("**auth_code=**")
        shown = person.look("not-opened-here")
        login.type(person.page.url)
        code, _, err = login.end()
    assert code == 0, err
    assert "Not opened here" in shown
    person.leave()


def test_two_people_open_one_login(
    browser: Browser, tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """Whoever comes second sees that someone was there before, and neither gets through."""
    variables = environment(tiktok_simulator, tmp_path)
    people = Person(browser, PHONE), Person(browser, PHONE)
    port = ("--port", str(free_port()))
    with LoginProcess(variables, "acme", "--no-browser", *port) as login:
        people[0].page.goto(login.url)
        people[1].page.goto(login.url)
        shown = people[1].look("opened-already")
        code, _, err = login.end()
    assert (code, "two browsers" in err) == (3, True)
    assert "Opened already" in shown
    assert tiktok_simulator.count(action="exchange") == 0
    for person in people:
        person.leave()


@pytest.mark.parametrize("end", ["", "/", "/deep/er", "/cb?tenant=7"])
def test_a_person_comes_back_to_the_very_address_that_is_registered(
    browser: Browser, tiktok_simulator: Simulator, tmp_path: Path, end: str
) -> None:
    """TikTok gets the address byte for byte, and the listener serves where a browser then goes."""
    uri = f"http://localhost:{free_port()}{end}"
    tiktok_simulator.register_redirect("marketing", uri)
    variables = environment(tiktok_simulator, tmp_path)
    variables["TAP_TIKTOK_AUTH_REDIRECT_URI"] = uri
    person = Person(browser, PHONE)
    with LoginProcess(variables, "acme", "--no-browser") as login:
        assert parse_qs(urlsplit(login.consent).query)["redirect_uri"] == [uri]
        person.page.goto(login.url)
        person.page.click("#allow")
        person.page.wait_for_selector("#name")
        assert login.end()[0] == 0
    person.leave()


def test_a_person_sees_a_failure(
    browser: Browser, tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """When TikTok does not take the code, the page tells it and names the command to repeat."""
    variables = environment(tiktok_simulator, tmp_path)
    variables["TAP_TIKTOK_AUTH_APP_SECRET"] = "not-the-secret-of-the-app"
    person = Person(browser, PHONE)
    port = ("--port", str(free_port()))
    with LoginProcess(variables, "acme", "--no-browser", *port) as login:
        person.page.goto(login.url)
        person.page.click("#allow")
        person.page.wait_for_selector("#cause")
        shown = person.look("failed")
        code, _, err = login.end()
    assert code == 1, err
    assert "It did not work" in shown
    assert "not-the-secret" not in shown + err
    person.leave()
