"""`store rotate-key` killed at any moment: key file and store never disagree."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.store import keys, open_store
from tap_tiktok_auth.store.sql import SqlStore
from tap_tiktok_auth.store.sqlite import SQLite
from tests.store.samples import full_record

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

KILLS, CONNECTIONS = 25, 200


def rotate(path: Path, key_file: Path) -> Iterator[None]:
    """Change the key of a store, again and again."""
    store = SqlStore(SQLite(path), lambda new: keys.load(key_file, create=new))
    for number in range(CONNECTIONS - len(store.records())):
        assert store.commit(full_record(f"c{number}"), None)
    while True:
        yield
        keys.rotate(store.rotate_key, key_file)


def test_kills(tmp_path: Path) -> None:
    """After each kill the key file opens every connection of the store."""
    path, key_file = tmp_path / "tokens.db", tmp_path / "store.key"
    chance = random.Random(7)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.test_rotation_kills", str(path), str(key_file)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        ) as process:  # fmt: skip
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.random() * 0.06)
            process.kill()
        store = open_store(f"sqlite:///{path}", key_file.read_text())
        assert len(store.records()) == CONNECTIONS
        store.close()
    assert len(key_file.read_text().split(",")) > KILLS / 2


if __name__ == "__main__":
    for _ in rotate(Path(sys.argv[1]), Path(sys.argv[2])):
        print("ready", flush=True)
