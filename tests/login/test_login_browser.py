"""A person with a real browser, from the consent page to the end of the login.

With TIKTOK_AUTH_SCREENSHOTS set to a folder, pictures of the pages are left there.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.login.people import LoginProcess, environment, free_port, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tap_tiktok_auth.simulator import Simulator

    Open = Callable[..., Page]

pytestmark = pytest.mark.browser

PHONE, DESKTOP = 360, 1280


@pytest.fixture(name="open_window")
def _open_window(browser: Browser) -> Iterator[Open]:
    """Open browser windows that share nothing; whatever a page complains of fails the test."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def window(width: int = PHONE, scheme: Literal["light", "dark"] = "light") -> Page:
            context = browser.new_context(
                viewport={"width": width, "height": 720}, color_scheme=scheme
            )
            stack.callback(context.close)
            page = context.new_page()
            page.on("console", lambda message: complaints.append(message.text))
            return page

        yield window
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def look(page: Page, name: str) -> str:
    """Check that a page fits into its window; take a picture; return its text."""
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    folder = os.environ.get("TIKTOK_AUTH_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
    return page.inner_text("main")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("api", ["marketing", "login_kit"])
def test_a_person_allows(
    open_window: Open, tiktok_simulator: Simulator, tmp_path: Path, api: str, width: int
) -> None:
    """One click on Allow, and the page says who is connected; the code is nowhere to be seen."""
    variables = environment(tiktok_simulator, tmp_path, api)
    page = open_window(width)
    with LoginProcess(variables, "acme", "--no-browser") as login:
        page.goto(login.url)
        look(page, f"consent-{api}")
        page.click("#allow")
        page.wait_for_selector("#name")
        shown = look(page, f"connected-{api}")
        code, out, err = login.end()
    assert code == 0, err
    assert "Connected" in shown
    assert "acme" in shown
    assert "Connected: acme" in out
    assert page.url.endswith("/callback/?page=outcome")
    assert page.evaluate("document.referrer") == ""
    page.go_back()
    assert page.url == login.consent
    assert run(variables, "token", "acme").exit_code == 0


@pytest.mark.parametrize(
    ("secret", "button", "code", "words"),
    [
        (None, "#deny", 3, "nothing has changed"),
        ("not-the-secret-of-the-app", "#allow", 1, "It did not work"),
    ],
)
def test_a_person_sees_why_a_login_failed(
    open_window: Open,
    tiktok_simulator: Simulator,
    tmp_path: Path,
    secret: str | None,
    button: str,
    code: int,
    words: str,
) -> None:
    """After a no, or when TikTok does not take the code, the page tells it and how to repeat it."""
    variables = environment(tiktok_simulator, tmp_path)
    if secret:
        variables["TAP_TIKTOK_AUTH_APP_SECRET"] = secret
    page = open_window(scheme="dark")
    with LoginProcess(variables, "acme", "--no-browser") as login:
        page.goto(login.url)
        page.click(button)
        page.wait_for_url("**/callback/?page=outcome")
        shown = look(page, f"failed-{code}")
        ended, _, err = login.end()
    assert ended == code, err
    for text in ("Not connected", "tiktok-auth login acme", words):
        assert text in shown
    assert "not-the-secret" not in shown + err


def test_a_person_comes_from_an_old_page(
    open_window: Open, tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """Who allows on the page of an earlier login sees why it does not count; the new one works."""
    variables = environment(tiktok_simulator, tmp_path)
    port = ("--no-browser", "--port", str(free_port()))
    with LoginProcess(variables, "acme", *port, listens=False) as old:
        old_url = old.consent
    page = open_window()
    with LoginProcess(variables, "acme", *port, listens=False) as login:
        page.goto(old_url)
        page.click("#allow")
        page.wait_for_url("**/callback/?page=other-login")
        assert "another login" in look(page, "other-login")
        page.goto(login.url)
        page.click("#allow")
        page.wait_for_selector("#name")
        assert login.end()[0] == 0


def test_a_person_opens_tiktoks_own_address(
    open_window: Open, tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """A browser that did not come by the start page keeps its address, which can be pasted."""
    page = open_window()
    with LoginProcess(environment(tiktok_simulator, tmp_path), "--no-browser") as login:
        page.goto(login.consent)
        page.click("#allow")
        page.wait_for_url("**auth_code=**")
        assert "Not opened here" in look(page, "not-opened-here")
        login.type(page.url)
        assert login.end()[0] == 0


def test_two_people_open_one_login(
    open_window: Open, tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """Whoever comes second sees that someone was there before, and neither gets through."""
    first, second = open_window(), open_window()
    with LoginProcess(environment(tiktok_simulator, tmp_path), "--no-browser") as login:
        first.goto(login.url)
        second.goto(login.url)
        assert "Opened already" in look(second, "opened-already")
        code, _, err = login.end()
    assert (code, "two browsers" in err) == (3, True)
    assert tiktok_simulator.count(action="exchange") == 0


@pytest.mark.parametrize("end", ["", "/", "/deep/er", "/cb?tenant=7"])
def test_a_person_comes_back_to_the_very_address_that_is_registered(
    open_window: Open, tiktok_simulator: Simulator, tmp_path: Path, end: str
) -> None:
    """TikTok gets the address byte for byte, and the listener serves where a browser then goes."""
    uri = f"http://localhost:{free_port()}{end}"
    tiktok_simulator.register_redirect("marketing", uri)
    variables = environment(tiktok_simulator, tmp_path)
    variables["TAP_TIKTOK_AUTH_REDIRECT_URI"] = uri
    page = open_window()
    with LoginProcess(variables, "acme", "--no-browser", listens=False) as login:
        assert parse_qs(urlsplit(login.consent).query)["redirect_uri"] == [uri]
        page.goto(login.url)
        page.click("#allow")
        page.wait_for_selector("#name")
        assert login.end()[0] == 0
