"""A thousand connections at once, with latency; and hundreds under TikTok's rate limit."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from harness import FarSimulator, Figure, far_simulator, settings, table

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.checks import check_all
from tap_tiktok_auth.credentials.manager import open_manager

LATENCY = 0.1
PARALLELISM = 32
CONNECTIONS = 1000
LIMIT = 10
LIMITED_CONNECTIONS = 200


def measure() -> list[Figure]:
    """Measure both."""
    return [*_with_latency(), *_under_the_limit()]


def _with_latency() -> list[Figure]:
    with far_simulator(latency=LATENCY) as tiktok:
        took, refreshed = _refresh_all(tiktok, CONNECTIONS, PARALLELISM, 100_000)
    ideal = CONNECTIONS * LATENCY / PARALLELISM
    what = f"{CONNECTIONS} connections, {LATENCY * 1000:.0f} ms latency, parallelism {PARALLELISM}"
    return [
        Figure(what, f"{took:.2f} s, {refreshed} refreshes"),
        Figure("the same / ideal", f"{took / ideal:.2f}", "1.3", took <= 1.3 * ideal),
    ]


def _under_the_limit() -> list[Figure]:
    with far_simulator(tier="basic") as tiktok:
        took, refreshed = _refresh_all(tiktok, LIMITED_CONNECTIONS, PARALLELISM, LIMIT)
        calls = tiktok.call("calls")
    refused = sum(call.outcome == "40100" for call in calls)
    share = (refreshed - 1) / took / LIMIT
    what = f"{LIMITED_CONNECTIONS} connections under {LIMIT} requests/s"
    return [
        Figure(f"{what}: share of the limit", f"{share:.3f}", "0.95", share >= 0.95),
        Figure(f"{what}: refusals with 40100", str(refused), "0", refused == 0),
    ]


def _refresh_all(
    tiktok: FarSimulator, count: int, parallelism: int, per_second: float
) -> tuple[float, int]:
    """Return how long it took to refresh *count* connections, and how many were."""
    app = tiktok.call("app", "accounts")
    connections = [
        {
            "name": f"c{number}",
            "api": "accounts",
            "app_id": app.app_id,
            "app_secret": app.app_secret,
            "refresh_token": tiktok.call("grant", "accounts").refresh_token,
        }
        for number in range(count)
    ]
    with tempfile.TemporaryDirectory() as folder:
        config = parse(
            settings(
                tiktok,
                Path(folder),
                connections=connections,
                parallelism=parallelism,
            )
            | {"requests_per_second": per_second}
        )
        with open_manager(config) as manager:
            begun = time.perf_counter()
            reports = check_all(manager, config.connections, verify=False)
            took = time.perf_counter() - begun
    failed = [report.error for report in reports if report.error]
    if failed:
        raise SystemExit(f"{len(failed)} connections failed: {failed[0]}")
    return took, tiktok.call("count", action="refresh")


if __name__ == "__main__":
    print(table(measure()))
