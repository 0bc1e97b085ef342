"""Sixty-four processes that ask for one stale token at the same moment."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Figure, far_simulator, settings, table

from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.manager import open_manager

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

PROCESSES = 64
LATENCY = 1.0


def measure() -> list[Figure]:
    """Measure from the starting shot, when all processes are up, to the last answer."""
    with far_simulator(latency=LATENCY) as tiktok, tempfile.TemporaryDirectory() as folder:
        app = tiktok.call("app", "accounts")
        seed = tiktok.call("grant", "accounts").refresh_token
        config = settings(
            tiktok,
            Path(folder),
            api="accounts",
            app_id=app.app_id,
            app_secret=app.app_secret,
            refresh_token=seed,
        )
        with open_manager(parse(config)) as manager:
            manager.get_token(manager.connection("default"))
            begun = time.perf_counter()
            manager.get_token(manager.connection("default"), force=True)
            one = time.perf_counter() - begun
        tiktok.call("clear_calls")
        tiktok.call("advance", 2 * 86_400)
        _age(config)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tap_tiktok_auth.credentials.renewal"])
        ready = context.Barrier(PROCESSES + 1)
        answers = context.SimpleQueue()
        workers = [
            context.Process(target=_ask, args=(config, ready, answers)) for _ in range(PROCESSES)
        ]
        for worker in workers:
            worker.start()
        ready.wait()
        begun = time.perf_counter()
        tokens = {answers.get() for _ in workers}
        took = time.perf_counter() - begun
        for worker in workers:
            worker.join()
        refreshes = tiktok.call("count", action="refresh")
    return [
        Figure(f"{PROCESSES} processes: refreshes at TikTok", str(refreshes), "1", refreshes == 1),
        Figure(
            f"{PROCESSES} processes: different answers", str(len(tokens)), "1", len(tokens) == 1
        ),
        Figure("stampede / one refresh", f"{took / one:.2f}", "2", took <= 2 * one),
    ]


def _age(config: dict[str, Any]) -> None:
    """Let the stored token be stale: its end is put into the past."""
    with open_manager(parse(config)) as manager:
        record = manager.store.read("default")
        if record is None or record.token is None:
            raise SystemExit("no token was stored")
        from dataclasses import replace  # noqa: PLC0415

        old = replace(record, token=record.token.ended(manager.store.now() - 1))
        manager.store.amend(old, ("token",))


def _ask(config: dict[str, Any], ready: Barrier, answers: Any) -> None:  # noqa: ANN401
    with open_manager(parse(config)) as manager:
        connection = manager.connection("default")
        ready.wait()
        answers.put(manager.get_token(connection).token.access_token)


if __name__ == "__main__":
    print(table(measure()))
