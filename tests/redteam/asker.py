"""A process that asks for a token: `python -m tests.redteam.asker NAME`, its config on stdin."""

from __future__ import annotations

import json
import sys

from tap_tiktok_auth import configuration
from tap_tiktok_auth.errors import TikTokAuthError
from tap_tiktok_auth.session import session


def main() -> None:
    """Print the generation of the token, or the class of the error and its line."""
    config = configuration.parse(json.loads(sys.stdin.readline()))
    with session(config) as broker:
        try:
            held = broker.obtain(broker.connection(sys.argv[1]))
        except TikTokAuthError as error:
            print(type(error).__name__, error)
        else:
            print(held.record.generation, held.warning)


if __name__ == "__main__":
    main()
