"""Many processes want the same token at the same moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.worker import Machine, ask_on_and_on, ask_once, open_once

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.conftest import Chain, Nursery
    from tests.chaos.worker import Place

CROWD = 64


def test_sixty_four_processes_make_one_store(
    tmp_path: Path, store_url: str, key: str, nursery: Nursery
) -> None:
    """Of 64 processes that open a store that is not there yet, none fails, and all share it."""
    urls = [store_url]
    if store_url.startswith("sqlite:"):  # where a file is made, a race is rarer
        urls = [f"sqlite:///{tmp_path}/{number}/tokens.db" for number in range(5)]
    for url in urls:
        barrier = nursery.context.Barrier(CROWD)
        crowd = [nursery.start(open_once, url, key, barrier) for _ in range(CROWD)]
        assert len({pipe.recv() for _, pipe in crowd}) == 1
        for process, _ in crowd:
            process.join()


@pytest.mark.parametrize("latency", [0.0, 0.3])
def test_one_refresh_for_sixty_four_processes(
    chain: Chain, place: Place, nursery: Nursery, latency: float
) -> None:
    """Of 64 processes that find one expired token, one refreshes it and all get the new one."""
    chain.tiktok.scenario("latency", value=latency * 1_000)
    barrier = nursery.context.Barrier(CROWD)
    crowd = [nursery.start(ask_once, place, barrier) for _ in range(CROWD)]
    answers = [pipe.recv() for _, pipe in crowd]
    for process, _ in crowd:
        process.join()
    token = chain.record.token
    assert token is not None
    assert answers == [(2, token.access_token)] * CROWD
    assert chain.tiktok.count("refresh") == chain.answered_refreshes == 1
    assert chain.refresh_token_state == "live"


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_three_machines_with_wrong_clocks(
    chain: Chain, place: Place, nursery: Nursery, tmp_path: Path
) -> None:
    """Three machines whose clocks are hours apart refresh each generation once, and agree on it."""
    chain.tiktok.scenario("short_lifetimes", value=2)
    machines = [
        Machine("slow", -7_200.0, tmp_path / "slow"),
        Machine("right", 0.0, tmp_path / "right"),
        Machine("fast", 90_000.0, tmp_path / "fast"),
    ]
    barrier = nursery.context.Barrier(18)
    crowd = [
        nursery.start(ask_on_and_on, place, machine, barrier, 6.0)
        for machine in machines
        for _ in range(6)
    ]
    tokens: dict[int, set[str]] = {}
    for _, pipe in crowd:
        seen, clashes = pipe.recv()
        assert clashes == []
        for generation, token in seen.items():
            tokens.setdefault(generation, set()).add(token)
    for process, _ in crowd:
        process.join()
    assert len(tokens) >= 3
    assert {len(different) for different in tokens.values()} == {1}
    assert chain.answered_refreshes == chain.stored_refreshes == max(tokens) - 1
    assert chain.refused_refreshes == 0
