"""Run all benchmarks: `python benchmarks`."""

from __future__ import annotations

import advertisers
import cold_start
import many_connections
import stampede
import store
from harness import table

if __name__ == "__main__":
    print(
        table(
            [f for b in (cold_start, stampede, many_connections, advertisers) for f in b.measure()]
        )
    )
