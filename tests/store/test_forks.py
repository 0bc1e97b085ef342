"""Stores that are open when their process forks, as under web servers and task queues."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials.leases import Leases
from tap_tiktok_auth.process import Forkable, held_off
from tap_tiktok_auth.store import open_store
from tests.store.forks import forked
from tests.store.samples import renewed, stored

if TYPE_CHECKING:
    from tap_tiktok_auth.store import Store
    from tests.store.backends import Backend

_COME_AND_GO = """
import sys
from tap_tiktok_auth.store import open_store
store = open_store(sys.argv[1], sys.argv[2])
print(store.read("acme").generation)
store.close()
"""


def _generation_seen_by_another(backend: Backend) -> int:
    """Let another process open the store, look, and close it again."""
    command = [sys.executable, "-c", _COME_AND_GO, backend.url, backend.key]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_what_a_child_commits_is_there_for_all(backend: Backend) -> None:
    """A process opens the store, forks and ends; what its child commits, others see."""
    before = backend.open()
    record = stored(before)
    before.close()
    orders, told = os.pipe(), os.pipe()

    def child(store: Store) -> None:
        os.read(orders[0], 1)  # its parent has gone
        store.read("acme")
        os.write(told[1], b"1")
        os.read(orders[0], 1)  # another process has come and gone
        os.write(told[1], b"1" if store.commit(renewed(record), None) else b"0")
        os.read(orders[0], 1)
        store.close()

    def parent() -> bool:
        store = open_store(backend.url, backend.key)
        store.read("acme")
        if os.fork() == 0:
            try:
                child(store)
            finally:
                os._exit(0)
        return True

    assert forked(parent)
    for generation in (record.generation, record.generation + 1):
        os.write(orders[1], b"1")
        assert os.read(told[0], 1) == b"1"
        assert _generation_seen_by_another(backend) == generation
    os.write(orders[1], b"1")
    for end in (*orders, *told):
        os.close(end)


def test_a_fork_waits_for_a_transaction(backend: Backend) -> None:
    """Threads that write all the time neither fail nor block the children forked meanwhile."""
    store = backend.open()
    record = stored(store)
    over, failed = threading.Event(), []

    def write() -> None:
        try:
            while not over.is_set():
                store.check_writable()
        except BaseException as error:
            failed.append(error)
            raise

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        assert all(forked(lambda: store.read("acme") == record) for _ in range(20))
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert failed == []


def test_a_fork_while_others_come_and_go() -> None:
    """Whoever follows forks is told of each, also while other threads join in and leave."""

    class Witness(Forkable):
        told = 0

        def before_fork(self) -> None:
            self.told += 1

    witness, over = Witness(), threading.Event()
    witness.follow_forks()

    def come_and_go() -> None:
        while not over.is_set():
            some = [Forkable() for _ in range(20)]
            for one in some:
                one.follow_forks()
            for one in some[:10]:
                one.leave_forks()

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    for thread in threads:
        thread.start()
    try:
        assert all(forked(lambda: True) for _ in range(50))
    finally:
        sys.setswitchinterval(interval)
        over.set()
        for thread in threads:
            thread.join()
    assert witness.told == 50


def test_a_fork_waits_until_others_are_ready() -> None:
    """What must not be cut in two by a fork is finished first."""
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        with held_off():
            begun.set()
            assert go_on.wait(60)
            done.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    threading.Timer(0.1, go_on.set).start()
    assert forked(done.is_set)
    thread.join()


def test_threads_of_a_child_hold_leases_in_its_own_name() -> None:
    """No lease is taken in the name of the parent, which may end at any moment."""
    leases = Leases(None, 30.0)  # type: ignore[arg-type]  # no lease is taken
    assert leases.new_holder().split(":")[1] == str(os.getpid())

    def work() -> bool:
        names: list[str] = []
        start = threading.Barrier(4)

        def take() -> None:
            start.wait()
            names.append(leases.new_holder())

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {name.split(":")[1] for name in names} == {str(os.getpid())}

    assert all(forked(work) for _ in range(20))
