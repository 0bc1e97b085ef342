"""Redaction of logs: whatever the format, the handler or the failure."""

from __future__ import annotations

import io
import json
import logging
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests
from singer_sdk.logging import ConsoleFormatter, StructuredFormatter

from tap_tiktok_auth import redaction
from tap_tiktok_auth.redaction import RedactingFormatter, Redactor, install, teach
from tests.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary/5e+c r3t\"q'b\\s"
PLAIN = "canary5ec23t"


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin with no secret but the first."""
    monkeypatch.setattr(redaction, "SECRETS", Redactor())
    teach(CANARY)


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger that only the test knows."""
    own = logging.Logger("test", logging.DEBUG)  # noqa: LOG001  (getLogger would keep it for ever)
    yield own
    for handler in own.handlers:
        handler.close()


def _handler(formatter: logging.Formatter | None) -> tuple[logging.Handler, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    return handler, stream


FORMATTERS: list[logging.Formatter | None] = [
    None,
    logging.Formatter("%(levelname)s %(message)s"),
    ConsoleFormatter(),
    StructuredFormatter(),
]


def _fail() -> None:
    try:
        int(f"inner {CANARY}")
    except ValueError as inner:
        raise RuntimeError(f"outer /x?secret={PLAIN}") from inner


def _in_repr(text: str) -> str:
    return repr(text)[1:-1]


def _log_chained_failure(logger: logging.Logger) -> None:
    try:
        _fail()
    except RuntimeError:
        logger.exception("failed with %s", CANARY, extra={"payload": {"access_token": PLAIN}})


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_no_secret_in_any_log_format(
    logger: logging.Logger, formatter: logging.Formatter | None
) -> None:
    """Message, arguments, extras and chained tracebacks are redacted, in plain and in JSON logs."""
    handler, stream = _handler(formatter)
    logger.addHandler(handler)
    install(logger)
    _log_chained_failure(logger)
    written = stream.getvalue()
    assert "failed with ***" in written
    assert "RuntimeError" in written
    assert "ValueError" in written
    assert "canary" not in written.replace("test_redaction", "").replace("{CANARY}", "")
    assert "5ec23t" not in written


def test_structured_log_line_stays_json(logger: logging.Logger) -> None:
    """The SDK's structured format remains one JSON object after redaction."""
    handler, stream = _handler(StructuredFormatter())
    logger.addHandler(handler)
    install(logger)
    _log_chained_failure(logger)
    entry = json.loads(stream.getvalue())
    assert entry["message"] == "failed with ***"
    assert entry["exception"]["message"] == "outer /x?secret=***"
    assert entry["exception"]["cause"]["message"].endswith(": 'inner ***'")
    assert entry["extra"]["payload"] == {"access_token": "***"}


class _Brief(logging.Formatter):
    """A formatter with tracebacks of its own style."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  (logging's name)
        return f"brief {ei[1]}"


def test_other_handlers_format_the_record_afresh(logger: logging.Logger) -> None:
    """Redaction leaves no trace in the record: the next handler writes its own traceback."""
    redacting, first = _handler(logging.Formatter("%(message)s"))
    logger.addHandler(redacting)
    install(logger)
    plain, second = _handler(_Brief("%(message)s"))
    logger.addHandler(plain)
    _log_chained_failure(logger)
    assert _in_repr(CANARY) not in first.getvalue()
    assert second.getvalue() == f"failed with {CANARY}\nbrief outer /x?secret={PLAIN}\n"


def test_traceback_that_another_handler_cached_is_redacted(logger: logging.Logger) -> None:
    """A record that already carries its traceback as text is redacted too."""
    plain, first = _handler(logging.Formatter("%(message)s"))
    redacting, second = _handler(logging.Formatter("%(message)s"))
    redacting.setFormatter(RedactingFormatter(logging.Formatter()))
    logger.addHandler(plain)
    logger.addHandler(redacting)
    _log_chained_failure(logger)
    assert _in_repr(CANARY) in first.getvalue()
    assert _in_repr(CANARY) not in second.getvalue()


def test_line_that_cannot_be_formatted_shows_no_arguments(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python would print a bad call's arguments to stderr; a redacted handler does not."""
    handler, stream = _handler(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    install(logger)
    logger.warning("%d tokens", PLAIN)
    assert stream.getvalue() == "WARNING test: a log line that cannot be formatted\n"
    assert capsys.readouterr().err == ""


def test_message_alone_is_redacted() -> None:
    """Handlers that ask a formatter for the message alone get it redacted."""
    record = logging.LogRecord("x", logging.INFO, "f", 1, "m", None, None)
    record.message = f"secret={PLAIN}"
    formatter = RedactingFormatter(logging.Formatter("%(message)s"))
    assert formatter.formatMessage(record) == "secret=***"


def test_what_is_learned_later_is_masked_once(logger: logging.Logger) -> None:
    """A token that arrives after the installation is masked; a second one finds its work done."""
    handler, stream = _handler(None)
    logger.addHandler(handler)
    install(logger)
    wrapped = handler.formatter
    install(logger)
    teach("new-token-value")
    logger.warning("got new-token-value")
    assert handler.formatter is wrapped
    assert stream.getvalue() == "got ***\n"


def test_root_and_last_resort_are_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a logger given, root's handlers and Python's last resort are redacted."""
    handler, stream = _handler(None)
    last_resort, last_stream = _handler(None)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    monkeypatch.setattr(logging, "lastResort", last_resort)
    teach(PLAIN)
    install()
    record = logging.LogRecord("x", logging.WARNING, "f", 1, f"<{PLAIN}>", None, None)
    handler.handle(record)
    last_resort.handle(record)
    assert stream.getvalue() == last_stream.getvalue() == "<***>\n"


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name in http.server)
        """Say nothing."""


def test_debug_log_of_urllib3_shows_no_query_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The request line that urllib3 logs at DEBUG is redacted, the rest of it is kept."""
    handler, stream = _handler(logging.Formatter("%(name)s %(message)s"))
    own = logging.getLogger("urllib3.connectionpool")
    monkeypatch.setattr(own, "handlers", [handler])
    monkeypatch.setattr(own, "propagate", False)
    monkeypatch.setattr(own, "level", logging.DEBUG)
    install(own)
    own.manager._clear_cache()  # type: ignore[attr-defined]
    with Served(HTTPServer(("127.0.0.1", 0), _Answering)) as server, requests.Session() as session:
        session.get(f"{server.url}/get/", params={"app_id": "7", "secret": PLAIN}, timeout=5)
    assert '"GET /get/?app_id=7&secret=*** HTTP/1.1" 200' in stream.getvalue()
    assert PLAIN not in stream.getvalue()


def test_records_of_urllib3_are_clean_before_any_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Message, arguments, a factory's own attribute and traceback have no secret any more."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", records.append)
    own = logging.getLogger("urllib3.connectionpool")
    monkeypatch.setattr(own, "handlers", [handler])
    monkeypatch.setattr(own, "propagate", False)
    teach(PLAIN)
    try:
        int(PLAIN)
    except ValueError:
        own.exception("%s retried", PLAIN, extra={"rendered": f"a {PLAIN}"})
    own.warning("%s and %s", "nothing", "secret")
    first, second = records
    assert (first.getMessage(), first.__dict__["rendered"]) == ("*** retried", "a ***")
    assert PLAIN not in str(vars(first)).replace(repr(__name__), "")
    assert (
        "ValueError: invalid literal for int() with base 10: '***'"
        in logging.Formatter().format(first)
    )
    assert (second.msg, second.args) == ("%s and %s", ("nothing", "secret"))
