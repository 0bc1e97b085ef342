"""Run Meltano inside `tiktok-auth simulate`, and note what the simulator saw.

Started by `scripts/demo.py`; takes a JSON object on stdin: `meltano` (the command), `project`
(its folder), `runs` (how many), `loader`. Prints a JSON list with one object for each run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

#: The calls that spend a credential, by the simulator's name for them.
TOKEN_ACTIONS = ("exchange", "refresh")


def main() -> int:
    """Run Meltano as often as asked; return 1 as soon as a run fails."""
    job = json.load(sys.stdin)
    runs = []
    seen = 0
    for number in range(1, job["runs"] + 1):
        log = Path(job["project"]) / f"run-{number}.log"
        with log.open("w", encoding="utf-8") as stream:
            done = subprocess.run(
                [*job["meltano"], "run", "tap-tiktok-auth", job["loader"]],
                cwd=job["project"],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            print(log.read_text(encoding="utf-8"), file=sys.stderr)
            return 1
        calls = simulator_calls()
        new = calls[seen:]
        seen = len(calls)
        runs.append(
            {
                "token_calls": sum(call["action"] in TOKEN_ACTIONS for call in new),
                "calls": len(new),
            }
        )
    json.dump(runs, sys.stdout)
    return 0


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
