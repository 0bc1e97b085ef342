"""Where both commands begin, and what makes them begin soon: most of their time is imports."""

from __future__ import annotations

import gc
import os
import sys


def tap() -> None:
    """Run `tap-tiktok-auth`.

    The collector rests meanwhile: what is imported stays, and looking through the SDK again and
    again for garbage takes a tenth of the start.
    """
    gc.disable()
    from tap_tiktok_auth.tap import TapTikTokAuth  # noqa: PLC0415  (after the line above)

    gc.freeze()
    gc.enable()
    TapTikTokAuth.cli()


def tiktok_auth() -> None:
    """Run `tiktok-auth`.

    A script that asks for a token waits for imports, not for the token. So the one question that
    scripts ask, `tiktok-auth token NAME`, is answered before the command line is loaded if the
    store has the answer; all else goes the usual way, which does and says all that is to be done
    and said.
    """
    try:
        match sys.argv[1:]:
            case ["token", name] if not name.startswith("-"):
                token = _fresh_token(name)
                if token is not None:
                    sys.exit(_say(token))
        from tap_tiktok_auth.cli import main  # noqa: PLC0415  (not for a fresh token)
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell has it
    main()


def _fresh_token(name: str) -> str | None:
    """Return the connection's access token if it is fresh and settled in the store, else None."""
    from tap_tiktok_auth.configuration import parse  # noqa: PLC0415
    from tap_tiktok_auth.destinations import strangers  # noqa: PLC0415
    from tap_tiktok_auth.errors import StoreError  # noqa: PLC0415
    from tap_tiktok_auth.session import session  # noqa: PLC0415
    from tap_tiktok_auth.setting_values import from_environment  # noqa: PLC0415

    try:
        config = parse(from_environment(os.environ))
        if strangers(config.hosts):
            return None  # the usual way has its warning said
        with session(config) as broker:
            try:
                record = broker.store.read(name)
            except StoreError as error:
                raise error.of(name) from None
            if record is None or record.token is None or record.attempt is not None:
                return None
            step = broker.outlook(broker.connection(name), record)
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
        # Python would complain about what it could not write once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            print(f"tiktok-auth: cannot print the token: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0
