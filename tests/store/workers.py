"""Real processes that work on one store at the same moment.

Each is `python -m tests.store.workers JOB`: it reads the store's address, the key file and its own
name from standard input, opens the store, says so, waits for the word to begin, and prints what
came out as one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.credentials.models import Event
from tap_tiktok_auth.store import keys
from tap_tiktok_auth.store.sql import SqlStore
from tests.store.samples import full_record, renewed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.store import Store
    from tap_tiktok_auth.store.database import Database

_ROOT = Path(__file__).parents[2]


def run_together(jobs: list[str], url: str, key_file: Path) -> list[Any]:
    """Run jobs in processes of their own, all begun at once, and return what they printed."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-W", "error", "-m", "tests.store.workers", job],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT, text=True,
                )
            )
            for job in jobs
        ]  # fmt: skip
        for number, process in enumerate(processes):
            assert process.stdin is not None
            settings = {"url": url, "key_file": str(key_file), "name": f"worker-{number}"}
            process.stdin.write(json.dumps(settings) + "\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("begin\n")
            process.stdin.flush()
        return [json.loads(process.communicate()[0]) for process in processes]


def _claim(store: Store, name: str) -> str:
    return store.claim("acme", name, 60, lambda record: record or full_record()).outcome


def _open(store: Store, name: str) -> str:
    """Answer with the hash of the same text: all must agree."""
    return store.digest(name and "x")


def _commit(store: Store, name: str) -> list[int]:
    """Renew the connection again and again; answer with the generations that were ours."""
    ours: list[int] = []
    while True:
        record = store.read("acme")
        assert record is not None
        if record.generation > 100:
            return ours
        following = renewed(record, f"act.{name}-{record.generation + 1}")
        event = Event("refreshed", "acme", fingerprint_after=name)
        if store.commit(following, name, before=record, events=[event]):
            ours.append(following.generation)


def _write_own(store: Store, name: str) -> int:
    """Renew a connection of our own fifty times; answer with its generation."""
    record = full_record(name, generation=1)
    assert store.commit(record, None)
    for _ in range(50):
        found = store.read(name)
        assert found is not None
        assert found == record
        record = renewed(found, f"act.{name}-{found.generation}")
        assert store.commit(record, None, before=found)
    return record.generation


def _take_logins(store: Store, name: str) -> list[str]:
    """Take all logins that there are; answer with those that we got."""
    del name
    return [state for state in map(str, range(40)) if store.take_login(state, 600)]


_JOBS: dict[str, Callable[[Store, str], Any]] = {
    "claim": _claim,
    "open": _open,
    "commit": _commit,
    "write_own": _write_own,
    "take_logins": _take_logins,
}


def _rotate(store: Store, key_file: Path) -> int:
    """Change the key five times, as the command does; answer with how often."""
    for _ in range(5):
        keys.rotate(store.rotate_key, key_file)
    return 5


def _database(url: str) -> Database:
    if url.startswith("sqlite:"):
        from tap_tiktok_auth.store.sqlite import SQLite  # noqa: PLC0415  (one of two drivers)

        return SQLite(Path(url.removeprefix("sqlite:///")))
    from tap_tiktok_auth.store.postgres import Postgres  # noqa: PLC0415  (one of two drivers)

    return Postgres(url)


def main() -> None:
    """Do one job."""
    settings = json.loads(sys.stdin.readline())
    key_file = Path(settings["key_file"])
    job = sys.argv[1]
    if job == "open":  # opening a new store is what is tried
        print("ready", flush=True)
        sys.stdin.readline()
    store = SqlStore(_database(settings["url"]), lambda new: keys.load(key_file, create=new))
    if job != "open":
        print("ready", flush=True)
        sys.stdin.readline()
    work = _JOBS.get(job)
    print(json.dumps(work(store, settings["name"]) if work else _rotate(store, key_file)))
    store.close()


if __name__ == "__main__":
    main()
