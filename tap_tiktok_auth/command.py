"""The way of `tiktok-auth`: a fresh token is answered before the command line is even loaded.

A script that asks for a token waits for Python's imports, not for the token. So the one question
that scripts ask, `tiktok-auth token NAME`, is answered here if the store has the answer; all else
goes the usual way, which then does and says everything that is to be done and said.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run `tiktok-auth`."""
    match sys.argv[1:]:
        case ["token", name] if not name.startswith("-"):
            token = _fresh_token(name)
            if token is not None:
                print(token)  # noqa: T201  (the answer)
                return
    from tap_tiktok_auth.cli import main as command_line  # noqa: PLC0415  (not for a fresh token)

    command_line()


def _fresh_token(name: str) -> str | None:
    """Return the connection's access token if it is fresh and settled in the store, else None."""
    from tap_tiktok_auth.configuration import parse  # noqa: PLC0415
    from tap_tiktok_auth.errors import TikTokAuthError  # noqa: PLC0415
    from tap_tiktok_auth.session import session  # noqa: PLC0415
    from tap_tiktok_auth.setting_values import from_environment  # noqa: PLC0415

    try:
        with session(parse(from_environment(os.environ))) as broker:
            record = broker.store.read(name)
            if record is None or record.token is None or record.attempt is not None:
                return None
            step = broker.outlook(broker.connection(name), record)
    except TikTokAuthError:
        return None
    return record.token.access_token if step.action == "use" and step.error is None else None
