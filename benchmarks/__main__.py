"""Run all benchmarks: `python benchmarks`."""

from __future__ import annotations

import advertisers
import cold_start
import many_connections
import stampede
import store
from harness import table

BENCHMARKS = (cold_start, stampede, store, many_connections, advertisers)

if __name__ == "__main__":
    print(table([figure for benchmark in BENCHMARKS for figure in benchmark.measure()]))
