"""A token store on a file system that cannot be written to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .world import COMMAND, DAY

if TYPE_CHECKING:
    from pathlib import Path

    from .world import World

_MOUNT = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


_PRIVATE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["-r"])]


def read_only(folder: Path) -> list[str]:
    """Return the command that runs another with *folder* on a read-only file system."""
    return [*_PRIVATE, "sh", "-c", _MOUNT, "sh", str(folder)]


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_PRIVATE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _can_mount(), reason="this user may not mount anything")


@pytest.fixture
def folder(world: World) -> Path:
    """Return the folder of a store that was closed in order."""
    world.keep("acme", "marketing")
    world.keep("due", age=DAY - 60)
    return world.folder / "store"


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run `tiktok-auth` while *folder* is read-only."""
    done = subprocess.run(
        [*read_only(folder), COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", [["token", "acme"], ["token", "acme", "--min-lifetime", "1h"]])
def test_a_fresh_token_is_served(world: World, folder: Path, command: list[str]) -> None:
    """What only reads works without a place to write to, by the fast way and by the usual one."""
    code, out, err = run(folder, *command)

    assert (code, err) == (0, "")
    assert out.strip() == world.token("acme").access_token
    assert sorted(entry.name for entry in folder.iterdir()) == ["tokens.db"]


def test_status_and_exec_work(world: World, folder: Path) -> None:
    """Showing connections, and running a command with a fresh token, only reads."""
    code, out, _ = run(folder, "status", "--json")
    assert code == 0
    assert [row["connection"] for row in json.loads(out)] == ["acme", "due"]

    show = ["--set", "T=access_token", "--", "sh", "-c", 'printf %s "$T"']
    assert run(folder, "exec", "acme", *show) == (0, world.token("acme").access_token, "")


def test_what_has_to_write_says_so(world: World, folder: Path) -> None:
    """A token that is due is not spent; the doctor names the problem, and the connections too."""
    code, out, err = run(folder, "refresh", "due")
    assert code == 1
    assert "cannot be written to" in out + err
    assert "Traceback" not in err
    assert world.tiktok.calls() == []

    code, out, _ = run(folder, "doctor", "--json")
    findings = json.loads(out)
    assert code == 1
    assert any(f["level"] == "problem" and "cannot be written to" in f["message"] for f in findings)
    assert any(f["connection"] == "acme" and f["level"] == "ok" for f in findings)


def test_the_last_commit_is_served_though_it_is_in_the_log(world: World, folder: Path) -> None:
    """While another machine has the store open for writing, its newest token is the one."""
    with world.store():  # keeps the log
        world.change_token("acme", access_token="act.newer")
        assert (folder / "tokens.db-wal").stat().st_size > 0

        code, out, err = run(folder, "token", "acme")

    assert (code, out.strip(), err) == (0, "act.newer", "")


_ASK_TWICE = """
import os, sys
from tap_tiktok_auth.store import open_store
store = open_store(*sys.argv[1:])
for _ in range(2):
    print(store.read("acme").token.access_token, flush=True)
    sys.stdin.readline()
"""


def test_a_reader_that_stays_sees_what_is_written_elsewhere(world: World, folder: Path) -> None:
    """A program that reads from a read-only mount goes on with what others commit meanwhile."""
    before = world.token("acme").access_token
    with subprocess.Popen(
        [*read_only(folder), sys.executable, "-c", _ASK_TWICE, world.url, world.key],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as reader:  # fmt: skip
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline().strip() == before

        world.change_token("acme", access_token="act.newer")

        reader.stdin.write("go on\n")
        reader.stdin.flush()
        assert reader.stdout.readline().strip() == "act.newer"


def test_a_log_that_cannot_be_read_serves_no_older_token(world: World, folder: Path) -> None:
    """A copy whose newest tokens are in a log that needs a writer is refused, not half read."""
    copy = world.folder / "copy"
    with world.store():
        world.change_token("acme", access_token="act.newer")
        copy.mkdir(mode=0o700)
        for name in ("tokens.db", "tokens.db-wal"):
            shutil.copy2(folder / name, copy / name)

    done = subprocess.run(
        [*read_only(copy), COMMAND, "token", "acme"],
        env={**os.environ, "TAP_TIKTOK_AUTH_TOKEN_STORE": f"sqlite:///{copy}/tokens.db"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, "")
    assert "not closed in order" in done.stderr
    assert done.stderr.count("\n") == 1
