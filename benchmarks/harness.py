"""What the benchmarks share: a simulator in a process of its own, timing, and a table."""

from __future__ import annotations

import base64
import contextlib
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        what: What was measured.
        measured: The result, with its unit.
        wanted: The figure to reach.
        reached: Whether it was; None if nothing was promised.
    """

    what: str
    measured: str
    wanted: str = ""
    reached: bool | None = None


def table(figures: Sequence[Figure]) -> str:
    """Return figures as a table."""
    marks = {True: "yes", False: "NO", None: ""}
    lines = [("what", "measured", "wanted", "reached")]
    lines += [(f.what, f.measured, f.wanted, marks[f.reached]) for f in figures]
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


class FarSimulator:
    """A simulator in another process, so that it does not share our interpreter's time.

    Args:
        pipe: Takes the name of a method of `Simulator` with its arguments, gives the result.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Call a method of the simulator, or read one of its attributes."""
        self._pipe.send((name, args, kwargs))
        return self._pipe.recv()

    @property
    def url(self) -> str:
        """Its address."""
        return str(self.call("url"))


@contextlib.contextmanager
def far_simulator(**options: Any) -> Iterator[FarSimulator]:
    """Run a simulator in another process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, options), daemon=True)
    process.start()
    try:
        yield FarSimulator(ours)
    finally:
        ours.send(None)
        process.join(5)
        process.terminate()


def _serve(pipe: Connection, options: dict[str, Any]) -> None:
    with Simulator(**options) as simulator:
        while True:
            order = pipe.recv()
            if order is None:
                return
            name, args, kwargs = order
            attribute = getattr(simulator, name)
            pipe.send(attribute(*args, **kwargs) if callable(attribute) else attribute)


def settings(tiktok: FarSimulator, folder: Path, **more: Any) -> dict[str, Any]:
    """Return settings that point at a simulator and a store in *folder*."""
    return {
        "business_api_url": tiktok.url,
        "login_kit_api_url": tiktok.url,
        "tiktok_url": tiktok.url,
        "token_store": f"sqlite:///{folder / 'tokens.db'}",
        "token_store_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "requests_per_second": 100_000,
        **more,
    }


def environment(config: dict[str, Any]) -> dict[str, str]:
    """Return an environment in which commands have these settings and no others."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TAP_TIKTOK_AUTH_")}
    return kept | {f"TAP_TIKTOK_AUTH_{k.upper()}": str(v) for k, v in config.items()}


def wall(command: Sequence[str | Path], env: dict[str, str], times: int = 15) -> float:
    """Return the median wall time of a command in seconds, after one run to warm up."""

    def once() -> None:
        subprocess.run([str(c) for c in command], env=env, check=True, capture_output=True)

    once()
    return median(once, times)


def median(action: Callable[[], object], times: int) -> float:
    """Return the median wall time of an action in seconds."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        took.append(time.perf_counter() - begun)
    return statistics.median(took)
