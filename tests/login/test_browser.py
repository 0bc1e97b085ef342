"""Whether there is a browser to open."""

from __future__ import annotations

import pytest

from tap_tiktok_auth.login.browser import has_browser, is_elsewhere, open_browser


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"TERM": "xterm"}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"SSH_CONNECTION": "1"}, "linux", False),
        ({"SSH_CONNECTION": "1", "DISPLAY": "localhost:10"}, "linux", True),
        ({"BROWSER": "firefox"}, "linux", True),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "1"}, "darwin", False),
    ],
)
def test_only_windows_count(environ: dict[str, str], platform: str, expected: bool) -> None:
    """A browser is one whose window the person sees: not over ssh, not within the terminal."""
    assert has_browser(environ, platform) is expected


def test_without_a_browser_nothing_is_opened() -> None:
    """Where there is no window, nothing is started."""
    assert not open_browser("https://example.com/", {})


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", False),
        ({"SSH_CONNECTION": "1"}, "linux", True),
        ({"SSH_CONNECTION": "1"}, "darwin", True),
        ({"SSH_CONNECTION": "1", "DISPLAY": "localhost:10"}, "linux", False),
        ({"SSH_CONNECTION": "1", "BROWSER": "/opt/editor/browser.sh"}, "linux", False),
    ],
)
def test_over_ssh_the_browser_is_elsewhere(
    environ: dict[str, str], platform: str, *, expected: bool
) -> None:
    """Who came by ssh and has no window here has the browser on the machine they came from."""
    assert is_elsewhere(environ, platform) is expected
