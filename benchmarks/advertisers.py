"""A hundred thousand ad accounts, against an empty stream of the same width."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from harness import BIN, Figure, environment, far_simulator, settings, table

ADVERTISERS = 100_000

#: A tap that emits as many records of the same schema out of nothing.
PLAIN_TAP = """
import sys
from singer_sdk import Stream, Tap, typing as th
from tap_tiktok_auth.streams import AdvertiserIds
TIME, ID = "2026-11-21T00:00:00.000000+00:00", "7001000000000000001"
NAMES = AdvertiserIds.schema["properties"]
RECORD = {name: TIME if name.endswith("_at") else ID for name in NAMES}
class Plain(Stream):
    name = "advertiser_ids"
    primary_keys = ("connection", "advertiser_id")
    schema = AdvertiserIds.schema
    def get_records(self, context):
        for number in range(%d):
            yield {**RECORD, "advertiser_id": str(number)}
class TapPlain(Tap):
    name = "tap-plain"
    config_jsonschema = th.PropertiesList().to_dict()
    def discover_streams(self):
        return [Plain(self)]
TapPlain.cli()
"""

MEMORY = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def measure() -> list[Figure]:
    """Measure a cached run that emits the ad accounts only."""
    with far_simulator() as tiktok, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiktok.call("scenario", "long_lists", value=ADVERTISERS)
        own = tiktok.call("settings", "marketing")
        credentials = {k: own[k] for k in ("app_id", "app_secret", "auth_code")}
        env = environment(settings(tiktok, folder, **credentials))
        catalog = _only_advertiser_ids(folder, env)
        plain = folder / "tap_plain.py"
        plain.write_text(PLAIN_TAP % ADVERTISERS)
        ours = [str(BIN / "tap-tiktok-auth"), "--config", "ENV", "--catalog", str(catalog)]
        _records_per_second(ours, env)
        ours_rate = _records_per_second(ours, env)
        plain_rate = _records_per_second([sys.executable, str(plain)], env)
        memory = _memory(ours, env)
    ratio = ours_rate / plain_rate
    return [
        Figure(f"{ADVERTISERS} ad accounts", f"{ours_rate:.0f} records/s"),
        Figure("the same / empty stream of the same width", f"{ratio:.2f}", "0.8", ratio >= 0.8),
        Figure("memory of the run", f"{memory:.0f} MB", "150 MB", memory <= 150),
    ]


def _only_advertiser_ids(folder: Path, env: dict[str, str]) -> Path:
    done = subprocess.run(
        [BIN / "tap-tiktok-auth", "--discover"], env=env, check=True, capture_output=True
    )
    catalog: dict[str, Any] = json.loads(done.stdout)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] == "advertiser_ids"
    path = folder / "catalog.json"
    path.write_text(json.dumps(catalog))
    return path


def _records_per_second(command: list[str], env: dict[str, str]) -> float:
    """Return the rate from the first record to the last, without start-up."""
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    if process.stdout is None:
        raise SystemExit("no output")
    records, first, last = 0, 0.0, 0.0
    for line in process.stdout:
        if line.startswith('{"type":"RECORD"'):
            last = time.perf_counter()
            first = first or last
            records += 1
    if process.wait() or records < 2:
        raise SystemExit(f"{command[0]} failed")
    return records / (last - first)


def _memory(command: list[str], env: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *command], env=env, check=True, capture_output=True
    )
    return int(done.stdout) / 1024


if __name__ == "__main__":
    print(table(measure()))
