"""Waiting for a login's callback: from the listener, or pasted into the terminal."""

from __future__ import annotations

import os
import select
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.login.callback import Callback, NotTheCallbackError, read_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.login.attempt import Begun
    from tap_tiktok_auth.login.listener import Listener

#: Seconds between two looks at the listener.
_STEP = 0.2


class Pasted:
    """Lines that a person types or pastes, read without blocking.

    Args:
        handle: The file descriptor of the terminal.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._rest = b""
        self.ended = False

    def line(self, seconds: float) -> str | None:
        """Return the next line if one comes within *seconds*."""
        if self.ended:
            time.sleep(seconds)
            return None
        if b"\n" not in self._rest and select.select([self._handle], [], [], seconds)[0]:
            piece = os.read(self._handle, 65_536)
            self.ended = not piece
            self._rest += piece
        line, newline, rest = self._rest.partition(b"\n")
        if not newline:
            return None
        self._rest = rest
        return line.decode("utf-8", "replace")


def wait_for_callback(
    begun: Begun,
    listener: Listener | None,
    pasted: Pasted | None,
    seconds: float,
    tell: Callable[[str], None],
) -> tuple[Callback, bool] | None:
    """Wait until the login's callback comes by one of two ways.

    Args:
        begun: The login.
        listener: Where the browser comes back to, if it comes to this machine.
        pasted: What the person pastes, if there is a terminal.
        seconds: How long to wait.
        tell: Tells the person what is wrong with what was pasted.

    Returns:
        The callback, and whether it came to the listener; None if the time is over, or if only a
        paste could bring it and the person has ended the input.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        callback = listener.take() if listener is not None else None
        if callback is not None:
            return callback, True
        if pasted is None:
            time.sleep(_STEP)
            continue
        if pasted.ended and (listener is None or listener.address != begun.address):
            return None
        line = pasted.line(_STEP)
        if line is None or not line.strip():
            continue
        try:
            return _read(line, begun), False
        except NotTheCallbackError as problem:
            tell(str(problem))
    return None


def _read(line: str, begun: Begun) -> Callback:
    callback = read_address(line, begun.address.uri)
    if callback.error and not callback.state:
        callback = replace(callback, state=begun.state)
    if not callback.belongs_to(begun.state):
        raise NotTheCallbackError(
            "That address belongs to another login, an older one perhaps. Allow the access on the "
            "page whose address is shown above (the app's own link in TikTok's portal belongs to "
            "no login), then copy the address of the page that follows."
        )
    return callback
