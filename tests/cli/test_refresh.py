"""`tiktok-auth refresh`: a worker that does what is due."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.config import parsing, values
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.credentials.manager import open_manager
from tests.authenticator.loopback import Loopback

from .world import DAY

if TYPE_CHECKING:
    from tests.authenticator.loopback import Answer, Received

    from .world import World


def outcomes(world: World, *arguments: str) -> dict[str, str]:
    """Run it and return what became of each connection."""
    return {row["connection"]: row["outcome"] for row in world.json("refresh", *arguments)}


def test_refreshes_what_is_due_and_leaves_the_rest(world: World) -> None:
    """Only the token with less than `refresh_margin` left goes to TikTok, and only once."""
    world.keep("due", age=DAY - 900)
    world.keep("fresh", age=3_600)
    world.keep("lasting", "marketing")

    for summary in ("1 refreshed, 2 not due\n", "3 not due\n"):
        result = world.run("refresh")
        assert (result.exit_code, result.stdout, result.stderr) == (0, summary, "")
    assert [call.action for call in world.tiktok.calls()] == ["refresh"]


@pytest.mark.parametrize(
    ("within", "done"),
    [
        ("600s", []),
        ("30m", ["quarter"]),
        ("6h", ["quarter", "hours"]),
        ("1w", ["quarter", "hours"]),
    ],
)
def test_due_within_takes_the_place_of_the_margin(
    world: World, within: str, done: list[str]
) -> None:
    """What has less time left than asked is refreshed, but nothing in the first half of its life.

    Without that bound, workers would refresh the same tokens on every run.
    """
    world.keep("quarter", age=DAY - 900)
    world.keep("hours", age=DAY - 5 * 3_600)
    world.keep("young", age=3_600)

    found = outcomes(world, "--due-within", within)

    assert {name for name, outcome in found.items() if outcome == "refreshed"} == set(done)


def test_force_refreshes_what_is_fresh(world: World) -> None:
    """`--force` refreshes every refreshable token; of others it does not say "not due"."""
    world.keep("fresh")
    world.keep("lasting", "marketing")

    assert outcomes(world, "--force") == {"fresh": "refreshed", "lasting": "not_due"}
    result = world.run("refresh", "--force")
    alone = world.run("refresh", "--force", "lasting")

    assert (result.exit_code, result.stdout) == (0, "1 refreshed, 1 with nothing to refresh\n")
    assert (alone.exit_code, alone.stdout) == (0, "1 with nothing to refresh\n")


def test_names_limit_it(world: World) -> None:
    """Only the connections that are named are touched."""
    world.keep("acme", age=DAY - 900)
    world.keep("beta", age=DAY - 900)

    assert outcomes(world, "beta") == {"beta": "refreshed"}
    assert world.tiktok.count(action="refresh") == 1


def test_seeds_are_exchanged(world: World) -> None:
    """A code in the config, which dies within the hour, is exchanged."""
    assert world.run("refresh", **world.configure(acme="accounts")).stdout == "1 exchanged\n"


def test_one_bad_connection_does_not_stop_the_others(world: World) -> None:
    """The one that needs a person is told in one line, the other is refreshed; exit code 3."""
    world.keep("over", age=400 * DAY)
    world.keep("due", age=DAY - 900)

    result = world.run("refresh")

    assert (result.exit_code, result.stdout) == (3, "1 refreshed, 1 failed\n")
    assert result.stderr.count("\n") == 1
    assert "connection over: the consent ended" in result.stderr
    assert "tiktok-auth login over" in result.stderr


def test_failed_refresh_of_a_token_that_works_is_an_error(world: World) -> None:
    """If TikTok has trouble, the token stays in use, and the worker says so with exit code 1."""
    world.keep("due", age=DAY - 900)
    world.tiktok.scenario("drop_reply", path="/refresh_token/")

    result = world.run("refresh")

    assert (result.exit_code, result.stdout) == (1, "1 not refreshed (unconfirmed)\n")
    assert "connection due: " in result.stderr


def test_revoked_connections_are_passed_over(world: World) -> None:
    """What a person ended is no failure, even if it is asked for by name."""
    world.keep("gone", status="revoked", token=None)
    world.keep("due", age=DAY - 900)

    assert outcomes(world) == {"due": "refreshed"}
    assert outcomes(world, "gone") == {"gone": "revoked"}


def test_json_tells_times_and_errors(world: World) -> None:
    """Each row has the new end of the token, or what TikTok said; no secret."""
    world.keep("due", age=DAY - 900)
    world.keep("over", age=DAY - 900)
    world.tiktok.revoke(world.secrets("over")[2])

    result = world.run("refresh", "--json")
    due, over = json.loads(result.stdout)

    assert due["access_token_expires_at"] > time.strftime("%Y-%m-%dT%H", time.gmtime())
    assert due["error_code"] is None
    assert (over["outcome"], over["error_code"]) == ("still_works", "40105")
    assert over["error_message"]
    assert result.exit_code == 3
    assert not any(secret in result.output for secret in world.secrets("due"))


def test_a_namesake_s_work_is_not_its_own(world: World) -> None:
    """Containers may share a host name and process id 1; each counts what it did itself."""
    world.keep("theirs", age=DAY - 900)
    world.keep("ours", age=DAY - 900)
    under_way, go_on = threading.Event(), threading.Event()

    with Loopback(world.tiktok.url) as host:

        def slowly(request: Received) -> Answer:
            if under_way.is_set():
                go_on.set()  # this is the worker's own request: it has begun
            under_way.set()
            assert go_on.wait(60)
            return host.pass_on(request)

        host.answers["/open_api/v1.3/tt_user/oauth2/refresh_token/"] = slowly
        at_host = {f"{ENV_PREFIX}BUSINESS_API_URL": host.url}
        settings = values.from_environment({**world.environment, **at_host})

        def refresh_theirs() -> None:
            with open_manager(parsing.parse(settings)) as manager:
                manager.get_token(manager.connection("theirs"))

        namesake = threading.Thread(target=refresh_theirs)
        namesake.start()
        assert under_way.wait(60)
        result = world.run("refresh", **at_host)
        namesake.join()

    assert result.stdout == "1 refreshed, 1 done by another worker\n"
    assert world.tiktok.count(action="refresh") == 2


def test_workers_share_the_work(world: World) -> None:
    """Three workers at once refresh each due token exactly once between them, and leave none."""
    names = [f"c{number:02}" for number in range(24)]
    for name in names:
        world.keep(name, age=DAY - 900)
    world.tiktok.scenario("latency", value=40)
    env = {"TAP_TIKTOK_AUTH_PARALLELISM": "4", "TAP_TIKTOK_AUTH_REQUESTS_PER_SECOND": "1000"}

    workers = [world.start("refresh", "--json", env=env) for _ in range(3)]
    rows = []
    for worker in workers:
        out, err = worker.communicate(timeout=60)
        assert (worker.returncode, err) == (0, "")
        rows += json.loads(out)

    done = [row["connection"] for row in rows if row["outcome"] == "refreshed"]
    assert sorted(done) == names
    assert world.tiktok.count(action="refresh") == len(names)
    assert {row["outcome"] for row in rows} <= {"refreshed", "done_elsewhere", "not_due"}
