"""`store rotate-key` killed at any moment: key file and store never disagree."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tap_tiktok_auth.store import keys, open_store
from tap_tiktok_auth.store.sql import SqlStore
from tap_tiktok_auth.store.sqlite import SQLite
from tests.store.samples import full_record

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

KILLS = 25
_ROOT = Path(__file__).parents[2]
_ROTATE = """
import sys
from pathlib import Path
from tap_tiktok_auth.store import keys
from tap_tiktok_auth.store.sql import SqlStore
from tap_tiktok_auth.store.sqlite import SQLite
key_file = Path(sys.argv[2])
store = SqlStore(SQLite(Path(sys.argv[1])), lambda new: keys.load(key_file, create=False))
print("ready", flush=True)
while True:
    keys.rotate(store, key_file)
"""


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """Return a store with many connections, and its key file."""
    path, key_file = tmp_path / "tokens.db", tmp_path / "store.key"
    store = SqlStore(SQLite(path), lambda new: keys.load(key_file, create=new))
    for number in range(200):
        assert store.commit(full_record(f"c{number}"), None)
    store.close()
    return path, key_file


def test_kills(place: tuple[Path, Path]) -> None:
    """After each kill the key file opens every connection of the store."""
    path, key_file = place
    chance = random.Random(7)
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-c", _ROTATE, str(path), str(key_file)],
            stdout=subprocess.PIPE, text=True, cwd=_ROOT, env=dict(os.environ),
        ) as process:  # fmt: skip
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.random() * 0.06)
            process.kill()
        store = open_store(f"sqlite:///{path}", key_file.read_text())
        assert len(store.records()) == 200
        store.close()
    assert len(key_file.read_text().split(",")) > KILLS / 2
