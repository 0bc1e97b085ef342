"""Where both commands begin, and what makes them begin soon: most of their time is imports."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.process import EXIT_INTERRUPTED, give_stdout_up

if TYPE_CHECKING:
    from collections.abc import Callable

#: When this process began its work, by the steady clock; None in a host program.
begun: float | None = None


def tap() -> None:
    """Run `tap-tiktok-auth`.

    The collector rests meanwhile: what is imported stays, and looking through the SDK again and
    again for garbage takes a tenth of the start.
    """
    if sys.stdout is None:
        sys.exit("tap-tiktok-auth: stdout is closed, so records have nowhere to go")
    gc.disable()
    run = _starting(_load_tap)
    gc.freeze()
    gc.enable()
    run()


def tiktok_auth() -> None:
    """Run `tiktok-auth`.

    A script that asks for a token waits for imports, not for the token. So the one question that
    scripts ask, `tiktok-auth token NAME`, is answered before the command line is loaded if the
    store has the answer; all else goes the usual way, which does and says all that is to be done
    and said.
    """
    global begun  # noqa: PLW0603  (there is one process)
    begun = time.monotonic()
    _starting(_load_command_line)()


def _load_tap() -> Callable[[], Any]:
    from tap_tiktok_auth.tap import TapTikTokAuth  # noqa: PLC0415  (after the collector rests)

    return TapTikTokAuth.cli


def _load_command_line() -> Callable[[], Any]:
    match sys.argv[1:]:
        case ["token", name] if not name.startswith("-"):
            token = _fresh_token(name)
            if token is not None:
                sys.exit(_say(token))
    from tap_tiktok_auth.cli import main  # noqa: PLC0415  (not for a fresh token)

    return main


def _starting(load: Callable[[], Callable[[], Any]]) -> Callable[[], Any]:
    """Load a program, with all three standard streams there, and ready for Ctrl-C.

    A file that is opened while a standard stream is closed takes its number, and what is written
    there goes into that file. As an exception Ctrl-C would come up amidst imports, which print it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115  (for good)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))
    try:
        return load()
    finally:
        signal.signal(signal.SIGINT, usual)


def _fresh_token(name: str) -> str | None:
    """Return the connection's access token if it is fresh and settled in the store, else None."""
    from tap_tiktok_auth.config.parsing import check_name, parse  # noqa: PLC0415
    from tap_tiktok_auth.config.values import from_environment  # noqa: PLC0415
    from tap_tiktok_auth.credentials.session import session  # noqa: PLC0415
    from tap_tiktok_auth.errors import StoreError  # noqa: PLC0415
    from tap_tiktok_auth.network import strangers  # noqa: PLC0415
    from tap_tiktok_auth.store import missing_file  # noqa: PLC0415

    try:
        config = parse(from_environment(os.environ))
        if missing_file(config.token_store) is not None:
            return None
        if strangers(config.hosts):
            return None  # the usual way has its warning said
        with session(config) as manager:
            try:
                record = manager.store.read(check_name(name))
            except StoreError as error:
                raise error.of(name) from None
            if record is None or record.token is None or record.attempt is not None:
                return None
            step = manager.outlook(manager.connection(name), record)
    except StoreError as error:
        from tap_tiktok_auth.cli.common import fail  # noqa: PLC0415

        fail(error)  # now: whoever waited for a store need not wait for it once more
    except Exception:  # noqa: BLE001  (the usual way comes upon it too, and tells it well)
        return None
    return record.token.access_token if step.action == "use" and step.error is None else None


def _say(token: str) -> int:
    """Print the answer; return the exit code."""
    try:
        print(token, flush=True)  # noqa: T201
    except OSError as error:
        give_stdout_up()
        if not isinstance(error, BrokenPipeError):
            print(f"tiktok-auth: cannot print the token: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0
