"""`tiktok-auth doctor` on hosts that are really away, and on clocks."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.doctor.patient import Patient


def test_hosts_that_do_not_answer_are_told(patient: Patient) -> None:
    """An unreachable host is a problem that names the setting, never a traceback."""
    patient.tiktok.stop()
    code, finding = patient.told("cannot be reached")
    assert (code, finding["check"]) == (1, "network")
    assert "business_api_url" in finding["mend"]


class _Clock(BaseHTTPRequestHandler):
    """A host whose clock is wrong by the server's `skew`."""

    def do_HEAD(self) -> None:
        """Tell the time."""
        self.send_response_only(404)
        self.send_header("Date", formatdate(time.time() + self.server.skew, usegmt=True))  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(name="clock_host")
def _clock_host() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Clock)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("skew", "code", "level", "words"),
    [
        (0, 0, "ok", "agrees"),
        (600, 0, "warning", "s behind that of"),
        (-600, 0, "warning", "s ahead of that of"),
        (7200, 1, "problem", "s behind that of"),
    ],
)
def test_a_wrong_clock_is_told(
    patient: Patient, clock_host: ThreadingHTTPServer, skew: int, code: int, level: str, words: str
) -> None:
    """The Date header of TikTok's host tells how wrong this machine's clock is."""
    clock_host.skew = skew  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{clock_host.server_address[1]}"
    patient.set(business_api_url=url, login_kit_api_url=url, tiktok_url=url)
    found_code, finding = patient.told(words)
    assert (found_code, finding["level"]) == (code, level)
