"""Whether this machine has a browser for a person, and opening it."""

from __future__ import annotations

import sys
import webbrowser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def has_browser(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser window can be opened where the person sits.

    A browser of the terminal does not count: it would cover what the login says.

    Args:
        environ: The environment.
        platform: As `sys.platform`.
    """
    if environ.get("BROWSER"):
        return True
    if platform in {"darwin", "win32"}:
        return "SSH_CONNECTION" not in environ
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def is_elsewhere(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether the person's browser is most likely on another machine: ssh without a window."""
    return "SSH_CONNECTION" in environ and not has_browser(environ, platform)


def open_browser(url: str, environ: Mapping[str, str]) -> bool:
    """Open *url* in the person's browser; False if there is none or it does not start."""
    try:
        return has_browser(environ) and webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False
