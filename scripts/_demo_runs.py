"""Run Meltano inside `tiktok-auth simulate`, into a PostgreSQL, and note what both saw.

Started by `scripts/demo.py`; takes a JSON object on stdin: `meltano` (the command), `project`
(its folder), `runs` (how many), `loader`, `streams` (those to read back). Prints a JSON object:
`runs` has one object for each run, `rows` has the loaded rows of each stream.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.postgres_server import PASSWORD, PostgresServer

#: The calls that spend a credential, by the simulator's name for them.
TOKEN_ACTIONS = ("exchange", "refresh")


def main() -> int:
    """Run Meltano as often as asked; return 1 as soon as a run fails."""
    job = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="tap-tiktok-auth-demo-") as folder:
        server = PostgresServer(Path(folder))
        server.start()
        try:
            runs = run_all(job, server)
            if runs is None:
                return 1
            rows = loaded_rows(server, job["streams"])
        finally:
            server.stop()
    json.dump({"runs": runs, "rows": rows}, sys.stdout, default=str)
    return 0


def run_all(job: dict[str, Any], server: PostgresServer) -> list[dict[str, int]] | None:
    """Return what the simulator saw of each run; None if one failed."""
    loader = {
        "TARGET_POSTGRES_HOST": "127.0.0.1",
        "TARGET_POSTGRES_PORT": str(server.port),
        "TARGET_POSTGRES_USER": "postgres",
        "TARGET_POSTGRES_PASSWORD": PASSWORD,
        "TARGET_POSTGRES_DATABASE": "postgres",
    }
    runs = []
    seen = 0
    for number in range(1, job["runs"] + 1):
        log = Path(job["project"]) / f"run-{number}.log"
        with log.open("w", encoding="utf-8") as stream:
            done = subprocess.run(
                [*job["meltano"], "run", "tap-tiktok-auth", job["loader"]],
                cwd=job["project"],
                env={**os.environ, **loader},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            print(log.read_text(encoding="utf-8"), file=sys.stderr)
            return None
        calls = simulator_calls()
        new = calls[seen:]
        seen = len(calls)
        runs.append(
            {
                "token_calls": sum(call["action"] in TOKEN_ACTIONS for call in new),
                "calls": len(new),
            }
        )
    return runs


def loaded_rows(server: PostgresServer, streams: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return what is in PostgreSQL, sorted."""
    with psycopg.connect(server.url("postgres"), row_factory=dict_row) as connection:
        connection.execute("SET search_path TO tiktok_auth")  # the extractor's load_schema
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in streams}
    return {name: sorted(rows, key=_place) for name, rows in found.items()}


def _place(row: dict[str, Any]) -> tuple[str, str]:
    return row["connection"], row.get("advertiser_id", "")


def simulator_calls() -> list[dict[str, Any]]:
    """Return the calls that the simulator has got so far."""
    url = os.environ["TAP_TIKTOK_AUTH_BUSINESS_API_URL"] + "/_simulator/calls"
    # The simulator is on this machine: no proxy stands between.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        calls: list[dict[str, Any]] = json.load(answer)
    return calls


if __name__ == "__main__":
    sys.exit(main())
