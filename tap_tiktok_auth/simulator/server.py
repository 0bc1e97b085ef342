"""A loopback HTTP server around a function from request to reply."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from aiohttp import web

from tap_tiktok_auth.simulator.wire import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable

_STOP_AFTER = 5.0


class LoopbackServer:
    """Serves on 127.0.0.1 from a thread of its own, with its own event loop.

    The thread is a daemon: a program that forgets to stop the server still ends.

    Args:
        answer: Called in that thread, one request at a time.
        port: 0 takes a free one.

    Raises:
        OSError: If the port is taken.
    """

    def __init__(self, answer: Callable[[Request], Reply], port: int = 0) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        # The socket listens already: a request that comes before the thread runs just waits.
        self._thread = threading.Thread(target=self._run, name="tiktok-simulator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and the port. A second call does nothing."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop ended in the meantime
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_STOP_AFTER)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()
            self._socket.close()

    async def _serve(self) -> None:
        # Cancellation lets a reply that hangs end as soon as the client gives up.
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket).start()
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        request = Request(
            method=incoming.method,
            path=incoming.rel_url.raw_path,
            query=incoming.rel_url.raw_query_string,
            headers={name.lower(): value for name, value in incoming.headers.items()},
            body=await incoming.read(),
        )
        reply = self._answer(request)
        if reply.delay:
            await asyncio.sleep(reply.delay)
        if reply.transport == "hang":
            await self._stopping.wait()
        response = web.Response(status=reply.status or 200, body=reply.body, headers=reply.headers)
        response.headers["Content-Type"] = reply.content_type
        if reply.transport != "send" and incoming.transport is not None:
            incoming.transport.abort()
        return response
