"""A program that uses the library and logs: `python -m tests.attacks.program_that_logs SET-UP`.

Its set-up is one of the ways in which programs make everything speak: handlers, filters, factories
and classes of loggers, debug modes, patches of monitoring tools. The config comes on stdin.
"""

from __future__ import annotations

import faulthandler
import http.client
import json
import logging
import logging.config
import os
import sys
import traceback
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = "%(name)s %(message)s %(args)s %(msg)s"


class Raw(logging.Handler):
    """Writes records as a log shipper does: every attribute, without a formatter."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write it."""
        print(vars(record), file=sys.stderr)


def basic() -> None:
    """The two lines of every tutorial."""
    logging.basicConfig(level=logging.DEBUG)


def own_handlers() -> None:
    """Handlers on the loggers of the HTTP libraries, none on root."""
    for name in ("urllib3", "urllib3.connectionpool", "requests", "tap_tiktok_auth", "http.client"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(ALL))
        logger.addHandler(handler)
        logger.addHandler(Raw())


def raw_records() -> None:
    """A handler on root that formats nothing and writes everything."""
    logging.getLogger().addHandler(Raw())
    logging.getLogger().setLevel(logging.DEBUG)


def dict_config(*, disable: bool) -> None:
    """Logging by `dictConfig`, once before and once after the library is imported."""
    config = {
        "version": 1,
        "disable_existing_loggers": disable,
        "formatters": {"all": {"format": ALL}},
        "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "all"}},
        "root": {"level": "DEBUG", "handlers": ["err"]},
        "loggers": {"urllib3.connectionpool": {"level": "DEBUG", "handlers": ["err"]}},
    }
    logging.config.dictConfig(config)
    later.append(lambda: logging.config.dictConfig(config))


def added_later() -> None:
    """Nothing at first; everything is switched on after the first token was had."""
    later.append(basic)
    later.append(own_handlers)


class Structured(logging.Logger):
    """A logger that writes its events itself, as structlog's and some companies' own do."""

    def makeRecord(self, *args: Any, **more: Any) -> logging.LogRecord:  # noqa: N802  (logging's name)
        """Make a record, and write it before any filter sees it."""
        record = super().makeRecord(*args, **more)
        print(json.dumps({"event": record.getMessage()}), file=sys.stderr)
        return record


def logger_class() -> None:
    """A class of loggers that acts ahead of filters."""
    logging.setLoggerClass(Structured)
    basic()


def record_factory() -> None:
    """A record factory that renders the message into an attribute of its own."""
    former = logging.getLogRecordFactory()

    def made(*args: Any, **more: Any) -> logging.LogRecord:
        record = former(*args, **more)
        record.__dict__["rendered"] = record.getMessage()
        print(record.getMessage(), file=sys.stderr)
        return record

    logging.setLogRecordFactory(made)
    logging.basicConfig(level=logging.DEBUG, format="%(rendered)s")


def http_debug() -> None:
    """The debug mode of http.client, in which it prints requests."""
    http.client.HTTPConnection.debuglevel = 1
    basic()


def monitored() -> None:
    """Patches of http.client and urllib3, as monitoring tools make them."""
    import urllib3.connectionpool  # noqa: PLC0415  (in this set-up only)

    def told(where: type, name: str) -> None:
        real: Callable[..., Any] = getattr(where, name)

        def telling(self: object, *args: Any, **more: Any) -> Any:
            print(name, args[:2], file=sys.stderr)
            return real(self, *args, **more)

        setattr(where, name, telling)

    told(http.client.HTTPConnection, "putrequest")
    told(http.client.HTTPConnection, "request")
    told(urllib3.connectionpool.HTTPConnectionPool, "urlopen")
    basic()


def warned() -> None:
    """Warnings that go into logs, fault handler, development mode's thoroughness."""
    logging.captureWarnings(capture=True)
    warnings.simplefilter("always")
    faulthandler.enable()
    basic()


def forked() -> None:
    """The work is done in a forked child, which inherits the handlers."""
    basic()
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        os._exit(os.waitstatus_to_exitcode(status))


SET_UPS: dict[str, Callable[[], None]] = {
    "basic": basic,
    "own handlers": own_handlers,
    "raw records": raw_records,
    "dictConfig": lambda: dict_config(disable=False),
    "dictConfig that disables": lambda: dict_config(disable=True),
    "added later": added_later,
    "logger class": logger_class,
    "record factory": record_factory,
    "http debug": http_debug,
    "monitored": monitored,
    "warned": warned,
    "forked": forked,
}
#: What is done after the library was imported and the first token had.
later: list[Callable[[], None]] = []


def tell_of(error: BaseException | None) -> None:
    """Write an error as reporters of errors do: with the variables of every frame."""
    if error is None:
        return
    import rich.console  # noqa: PLC0415  (not before the set-up)
    import rich.traceback  # noqa: PLC0415

    logging.getLogger("host").error("it failed", exc_info=error)
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        todo += [one.__cause__, one.__context__]
        print(repr(one), str(one), one.args, vars(one), file=sys.stderr)
        shown = traceback.TracebackException.from_exception(one, capture_locals=True)
        print("".join(shown.format()), file=sys.stderr)
    pretty = rich.traceback.Traceback.from_exception(
        type(error), error, error.__traceback__, show_locals=True,
        locals_max_string=10_000, locals_max_length=10_000,
    )  # fmt: skip
    rich.console.Console(file=sys.stderr, width=2_000).print(pretty)


class Given:
    """What came on stdin as JSON; the program keeps it out of its own frames."""

    def __init__(self) -> None:
        self.__dict__.update(json.loads(sys.stdin.readline()))

    config: dict[str, Any]
    paths: dict[str, str]
    hosts: list[str]


def use(given: Given) -> int:
    """Exchange, refresh, verify, read and revoke; return how often something was asked for."""
    import requests  # noqa: PLC0415  (after the set-up)

    from tap_tiktok_auth import TikTokAuthenticator  # noqa: PLC0415
    from tap_tiktok_auth.config.parsing import parse  # noqa: PLC0415
    from tap_tiktok_auth.credentials.checks import check_all  # noqa: PLC0415
    from tap_tiktok_auth.credentials.manager import open_manager  # noqa: PLC0415
    from tap_tiktok_auth.errors import TikTokAuthError  # noqa: PLC0415

    done = 0

    def attempt(ask: Callable[..., object], *args: Any, **more: Any) -> None:
        nonlocal done
        done += 1
        try:
            ask(*args, **more)
        except TikTokAuthError as error:
            tell_of(error)
        except requests.RequestException:
            pass  # of the program's own request

    with open_manager(parse(given.config)) as manager:
        for turn in (False, True):
            for result in check_all(manager, manager.connections(), force=turn):
                done += 1
                tell_of(result.error)
            for late in later:
                late()
    for name, path in given.paths.items():
        with TikTokAuthenticator.from_config(given.config, name) as auth:
            for host in given.hosts:
                attempt(requests.get, host + path, auth=auth, timeout=20)
    with open_manager(parse(given.config)) as manager:
        for connection in manager.connections() * 2:
            attempt(manager.revoke, connection)
    return done


if __name__ == "__main__":
    SET_UPS[sys.argv[1]]()
    print(f"done {use(Given())}")
