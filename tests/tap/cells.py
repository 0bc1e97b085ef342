"""What the tests of all token systems in all situations share."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.standin.runs import APIS
from tests.standin.world import DAY, app_of, name_of

if TYPE_CHECKING:
    from tests.standin.runs import Bench, Run

STALE = DAY - 600
EXPIRED = DAY + 600
#: Where codes are exchanged and tokens refreshed.
EXCHANGE = ("/access_token/", "/tt_user/oauth2/token/", "/v2/oauth/token/")
REFRESH = ("/refresh_token/", "/v2/oauth/token/")


def everyone(bench: Bench) -> dict[str, Any]:
    """Return a config with a consented connection of each token system."""
    return bench.settings(*(bench.consented(api) for api in APIS))


def with_a_healthy_one(bench: Bench, config: dict[str, Any]) -> dict[str, Any]:
    """Return the config with one more connection, on an app of its own, that is well."""
    bench.world.add_app(app_of("healthy"))
    healthy = bench.consented("healthy", "healthy") | {"api": "marketing"}
    return config | {"connections": [*config["connections"], healthy]}


def posts(bench: Bench) -> Counter[str]:
    """Return how many token requests each app has sent."""
    names = ("app_id", "client_id", "client_key")
    sent: Counter[str] = Counter()
    for call in bench.standin.token_posts:
        body = call.body or {}
        app_id = next(str(body[name]) for name in names if name in body)
        sent[name_of(app_id)] += 1
    return sent


def reject_refreshes(bench: Bench) -> None:
    """Let TikTok forget all refresh tokens."""
    for consent in bench.world.refresh.values():
        consent.refresh_token = None


def drop(bench: Bench, paths: tuple[str, ...], *, carried_out: bool) -> None:
    """Let the answer of one token request of each app get lost."""
    for path in paths:
        bench.standin.fail(path, times=2, carried_out=carried_out)


def assert_line(run: Run, name: str, *parts: str) -> None:
    """Assert that exactly one line tells about a connection, and that it has all *parts*."""
    told = run.told(name)
    assert len(told) == 1, told
    for part in parts:
        assert part in told[0], (part, told[0])


def assert_healthy(run: Run) -> None:
    """Assert that the rows of the connection that is well are out."""
    assert run.row("healthy")["status"] == "active"
    assert len(run.rows("advertiser_ids", "healthy")) == 2


def refusal(api: str) -> str:
    """Return the code by which TikTok refuses a refresh token."""
    return "invalid_grant" if api == "login_kit" else "40107"
