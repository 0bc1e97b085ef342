"""Entry points of both commands. Most of their start is imports, so little is imported here."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from tap_tiktok_auth.process import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator

#: When this process began its work, by the steady clock; None in a host program.
begun: float | None = None


def tap() -> None:
    """Run `tap-tiktok-auth`.

    The garbage collector is off meanwhile: what is imported stays, and searching the SDK for
    garbage again and again takes a tenth of the start.
    """
    if sys.stdout is None:
        sys.exit("tap-tiktok-auth: stdout is closed, so records have nowhere to go")
    gc.disable()
    with _starting():
        run = import_module("tap_tiktok_auth.tap").TapTikTokAuth.cli
    gc.freeze()
    gc.enable()
    run()


def tiktok_auth() -> None:
    """Run `tiktok-auth`.

    A script that asks for a token waits for imports, not for the token. So the one question that
    scripts ask, `tiktok-auth token NAME`, is answered before the command line is loaded if the
    store has the answer. The command line does and says all else.
    """
    global begun  # noqa: PLW0603  (there is one process)
    begun = time.monotonic()
    with _starting():
        match sys.argv[1:]:
            case ["token", name] if not name.startswith("-"):
                code = import_module("tap_tiktok_auth.cli.fast_token").print_fresh_token(name)
                if code is not None:
                    sys.exit(code)
        run = import_module("tap_tiktok_auth.cli.main").main
    run()


@contextmanager
def _starting() -> Iterator[None]:
    """Open the standard streams that are closed, and let Ctrl-C end the process while it imports.

    A file that is opened while a standard stream is closed takes its number, and what is written
    there goes into that file. As an exception Ctrl-C would be printed by the imports that it hits.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
