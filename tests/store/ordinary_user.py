"""A process for which permissions and limits bind, also where the tests run as root.

`python -m tests.store.ordinary_user` reads a store's address and key and, if need be, a limit of
the size of files from standard input, gives up root, works on the store, and prints what came of
it: the class and the line of the error, or nothing.
"""

from __future__ import annotations

import json
import os
import pwd
import resource
import subprocess
import sys
import tempfile  # noqa: F401  (the store imports it late; it cannot be read later)
from pathlib import Path
from typing import Any

from tap_tiktok_auth.errors import TikTokAuthError
from tap_tiktok_auth.store import open_store, sqlite  # noqa: F401  (while it can be read)
from tests.store.samples import full_record

_ROOT = Path(__file__).parents[2]


def give_to_ordinary_user(*paths: Path) -> None:
    """Make files theirs, where the tests run as root."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)


def work_as_ordinary_user(url: str, key: str, *, largest_file: int | None = None) -> list[str]:
    """Open a store and write to it in such a process; return its error's class and line."""
    settings = json.dumps({"url": url, "key": key, "largest_file": largest_file})
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.ordinary_user"],
        input=settings, capture_output=True, text=True, check=False, cwd=_ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def _work(settings: dict[str, Any]) -> list[str]:
    try:
        store = open_store(settings["url"], settings["key"])
        for number in range(1, 100):
            store.commit(full_record(f"c{number}", app_secret="x" * 4_000), None)
        store.close()
    except TikTokAuthError as error:
        return [type(error).__name__, str(error)]
    return []


def main() -> None:
    """Give up root, then work."""
    settings = json.loads(sys.stdin.read())
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(pwd.getpwnam("nobody").pw_gid)
        os.setuid(pwd.getpwnam("nobody").pw_uid)
    if settings["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (settings["largest_file"],) * 2)
    print(json.dumps(_work(settings)))


if __name__ == "__main__":
    main()
