"""Processes killed at random moments, again and again, under strict rotation."""

from __future__ import annotations

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.manager import TokenManager
from tap_tiktok_auth.errors import GrantRejected, TikTokAuthError
from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.store import open_store
from tests.chaos.conftest import Chain
from tests.chaos.worker import Place, refresh_until_killed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.context import ForkServerProcess

    from tests.chaos.conftest import Nursery

KILLS = 200
LANES = 4
#: Seconds that TikTok takes to answer: some kills hit a request that is under way, some do not.
LATENCY = 0.005
#: A process is killed within so many seconds after one of its first so many refreshes.
MOST_REFRESHES = 3
LONGEST_WAIT = 0.03


class Lane:
    """One connection of a shared store, whose processes are killed one after the other.

    Args:
        number: Which one.
        chain: The connection.
        place: Where its processes find the store and TikTok.
        nursery: Where they come from.
    """

    def __init__(self, number: int, chain: Chain, place: Place, nursery: Nursery) -> None:
        self._random = random.Random(number)
        self.chain = chain
        self.place = place
        self._nursery = nursery
        self.lost = 0

    def terminate(self) -> None:
        """End a process by SIGTERM: it ends well, and every token that TikTok gave is stored."""
        process = self._at_a_random_moment()
        process.terminate()
        assert self._nursery.exit_code(process) == 0
        assert self.chain.answered_refreshes == self.chain.stored_refreshes
        assert self.chain.refresh_token_state == "live"

    def kill(self) -> None:
        """End a process by SIGKILL: the next one goes on, or says what was lost."""
        process = self._at_a_random_moment()
        process.kill()
        assert self._nursery.exit_code(process) == -signal.SIGKILL
        error = self._try_to_go_on()
        if error is None:
            return
        assert isinstance(error, GrantRejected)
        record = self.chain.record
        assert "got no answer" in error.cause
        assert "the new token was lost on the way" in error.cause
        assert error.next_step == "Run: tiktok-auth login {connection}"
        assert record.status in {"refresh_failing", "reauthorization_required"}
        assert record.failure is not None
        assert record.failure.message == error.cause
        self.lost += 1
        self.chain.consent()

    def _at_a_random_moment(self) -> ForkServerProcess:
        """Start a process and return it at a random moment of its work, on any machine."""
        tiktok = self.chain.tiktok
        wanted = tiktok.count("refresh") + self._random.randint(0, MOST_REFRESHES)
        process, pipe = self._nursery.start(refresh_until_killed, self.place, self.chain.name)
        assert pipe.recv() == "ready"
        while tiktok.count("refresh") < wanted:
            assert self._nursery.runs(process)
            time.sleep(0.001)
        time.sleep(self._random.uniform(0, LONGEST_WAIT))
        return process

    def _try_to_go_on(self) -> TikTokAuthError | None:
        """Refresh in this process; return why it is not possible."""
        manager = TokenManager(self.place.config(), self.chain.store)
        try:
            held = manager.get_token(manager.connection(self.chain.name), force=True)
        except TikTokAuthError as error:
            return error
        finally:
            manager.close()
        return held.warning


@pytest.fixture
def lanes(store_url: str, key: str, nursery: Nursery) -> Iterator[list[Lane]]:
    """Return lanes that share one store, each with a TikTok of its own to count at."""
    with ExitStack() as stack:
        store = open_store(store_url, key)
        stack.callback(store.close)
        found = []
        for number in range(LANES):
            tiktok = stack.enter_context(Simulator(strict_rotation=True, latency=LATENCY))
            chain = Chain(tiktok, store, f"lane-{number}")
            chain.consent()
            found.append(Lane(number, chain, Place(store_url, key, tiktok.url), nursery))
        yield found


def repeat(lanes: list[Lane], action: Callable[[Lane], None]) -> None:
    """Do something to all lanes at once, 200 times in all."""

    def run(lane: Lane) -> None:
        for _ in range(KILLS // LANES):
            action(lane)

    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(run, lanes))


def test_no_token_is_lost_by_sigterm(lanes: list[Lane]) -> None:
    """200 processes end by SIGTERM, and not one token that TikTok gave is lost."""
    repeat(lanes, Lane.terminate)
    for lane in lanes:
        assert lane.chain.stored_refreshes >= KILLS // LANES
        assert lane.chain.refused_refreshes == 0


def test_what_sigkill_loses_is_told(lanes: list[Lane]) -> None:
    """After each of 200 SIGKILLs the next process goes on, or says that an answer was lost.

    A token is lost only if TikTok carried out a refresh whose answer was never stored, so the
    refreshes that it carried out are those that are stored and those that were told as lost.
    """
    repeat(lanes, Lane.kill)
    for lane in lanes:
        chain = lane.chain
        assert chain.answered_refreshes == chain.stored_refreshes + lane.lost
        assert chain.refresh_token_state == "live"
        assert chain.answered_refreshes >= KILLS // LANES
    print("lost by SIGKILL:", sum(lane.lost for lane in lanes), "of", KILLS)
