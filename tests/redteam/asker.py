"""A process that asks for a token: `python -m tests.redteam.asker NAME`, its config on stdin."""

from __future__ import annotations

import json
import sys

from tap_tiktok_auth.config import parsing
from tap_tiktok_auth.credentials.session import session
from tap_tiktok_auth.errors import TikTokAuthError


def main() -> None:
    """Print the generation of the token, or the class of the error and its line."""
    config = parsing.parse(json.loads(sys.stdin.readline()))
    with session(config) as manager:
        try:
            held = manager.get_token(manager.connection(sys.argv[1]))
        except TikTokAuthError as error:
            print(type(error).__name__, error)
        else:
            print(held.stored.generation, held.warning)


if __name__ == "__main__":
    main()
