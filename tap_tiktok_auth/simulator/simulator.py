"""The simulator: a simulated TikTok on a loopback port."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tap_tiktok_auth.simulator.controls import Controls
from tap_tiktok_auth.simulator.remote import PREFIX, Remote
from tap_tiktok_auth.simulator.server import LoopbackServer
from tap_tiktok_auth.simulator.state import Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from tap_tiktok_auth.simulator.wire import Reply, Request


class Simulator(Controls):
    """A TikTok to test against.

    ``business_api_url``, ``login_kit_api_url`` and ``tiktok_url`` of the tap are all ``url``.
    Use it as a context manager, or call ``start`` and ``stop``::

        with Simulator() as tiktok:
            settings = tiktok.settings("marketing")

    Args:
        seed: The same seed gives the same codes, tokens and ids.
        latency: Seconds that every answer takes.
        clock: Returns epoch seconds; ``advance`` moves on from it.
        strict_rotation: Whether a refresh kills the refresh token that was used.
        tier: ``off``, ``basic``, ``advanced``, ``premium``, ``ultimate`` or ``sandbox``.
        sandbox: Whether ad accounts are out of reach, as with a sandbox token.
        flat_errors: Whether ``/v2/user/info/`` refuses in the flat shape.
        oauth_error_status: HTTP status of Login Kit's OAuth errors.
        port: 0 takes a free one.

    Raises:
        ValueError: If the tier is unknown.
    """

    def __init__(  # noqa: PLR0913 - keyword options of a test double
        self,
        *,
        seed: int | str | None = None,
        latency: float = 0.0,
        clock: Callable[[], float] = time.time,
        strict_rotation: bool = True,
        tier: str = "off",
        sandbox: bool = False,
        flat_errors: bool = False,
        oauth_error_status: int = 200,
        port: int = 0,
    ) -> None:
        options = Options(seed, strict_rotation, tier, sandbox, flat_errors, oauth_error_status)
        super().__init__(options, latency, clock)
        self._remote = Remote(self)
        self._port = port
        self._server: LoopbackServer | None = None

    def start(self) -> Self:
        """Open the port.

        Raises:
            OSError: If the port is taken.
            RuntimeError: If it is running already.
        """
        if self._server is not None:
            raise RuntimeError("the simulator is running already")
        self._server = LoopbackServer(self._route, self._port)
        self.url = f"http://127.0.0.1:{self._server.port}"
        return self

    def stop(self) -> None:
        """Close the port. A second call does nothing."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _route(self, request: Request) -> Reply:
        if request.path.startswith(PREFIX):
            return self._remote.answer(request)
        return self.answer(request)
