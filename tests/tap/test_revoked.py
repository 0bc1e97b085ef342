"""A connection that a person ended on purpose stands in nobody's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.standin.world import app_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.standin.runs import Bench

#: Each kind of seed, with a token system that takes it.
SEEDS = [
    ("auth_code", "marketing"),
    ("auth_code", "login_kit"),
    ("access_token", "marketing"),
    ("refresh_token", "accounts"),
    ("access_and_refresh_token", "creator"),
    ("client_credentials", "login_kit"),
]


def entry(bench: Bench, seed: str, api: str) -> dict[str, Any]:
    """Return settings of a connection with a seed of that kind."""
    timed = api != "marketing"
    consent = bench.world.codes[bench.world.consent(app_of(api), timed=timed)].consent
    access, refresh = bench.world.hand_out(consent, refreshable=timed)
    seeds = {
        "auth_code": bench.consented(api),
        "access_token": {"access_token": access},
        "refresh_token": {"refresh_token": refresh},
        "access_and_refresh_token": {"access_token": access, "refresh_token": refresh},
        "client_credentials": {"grant_type": "client_credentials"},
    }
    return bench.connection(api, "acme") | seeds[seed] | {"name": "acme"}


def test_every_use_goes_on_without_it(bench: Bench, command: Callable[..., Result]) -> None:
    """Runs, tests, `refresh` and `status` end with 0 and tell of it in one line of information."""
    config = bench.settings(*(bench.consented("marketing", name) for name in ("ended", "well")))
    assert bench.run(config).code == 0
    assert command("revoke", "ended", "--yes").exit_code == 0
    spent = len(bench.standin.token_posts)
    for on_error in ("fail", "warn"):
        run = bench.run(config | {"on_error": on_error})
        assert run.code == 0
        lines = [line for line in run.err.splitlines() if "connection ended:" in line]
        assert [" INFO " in line for line in lines if " DEBUG " not in line] == [True]
        assert (run.row("ended")["status"], run.row("well")["status"]) == ("revoked", "active")
        assert run.row("ended")["last_error_message"] is None
        assert {row["connection"] for row in run.rows("advertiser_ids")} >= {"well"}
    assert bench.run(config, None, "--test").code == 0
    for arguments in (
        ("status",),
        ("status", "ended", "--check"),
        ("refresh",),
        ("refresh", "ended", "--force"),
        ("doctor",),
    ):
        done = command(*arguments)
        assert done.exit_code == 0, (arguments, done.stderr)
        assert "failed" not in done.stdout
    assert len(bench.standin.token_posts) == spent


@pytest.mark.parametrize(("seed", "api"), SEEDS)
def test_its_seed_does_not_start_it_again(
    bench: Bench, command: Callable[..., Result], seed: str, api: str
) -> None:
    """However the connection began, what it began from stays in the config and does nothing.

    A run of nothing else ends with 0 too, and says that there is nothing else.
    """
    config = bench.settings(entry(bench, seed, api))
    assert bench.run(config).code == 0
    assert command("revoke", "acme", "--yes").exit_code == 0
    before = len(bench.standin.calls)
    assert bench.run(config, None, "--test").code == 0
    assert command("refresh").exit_code == 0
    run = bench.run(config)
    assert (run.code, run.row("acme")["status"]) == (0, "revoked")
    assert "All connections were revoked" in run.err
    assert len(bench.standin.calls) == before


def test_a_token_is_refused_and_a_new_seed_starts_anew(
    bench: Bench, command: Callable[..., Result]
) -> None:
    """Who asks for its token hears that a person is needed; a new code is a new consent."""
    bench.run(bench.settings(bench.consented("marketing", "acme")))
    assert command("revoke", "acme", "--yes").exit_code == 0
    asked = command("token", "acme")
    assert (asked.exit_code, asked.stdout) == (3, "")
    assert "was revoked on purpose. To use it again, run: tiktok-auth login acme" in asked.stderr
    config = bench.settings(bench.consented("marketing", "acme"))
    assert bench.run(config, None, "--discover").code == 0  # writes the config file
    assert command("refresh").stdout == "1 exchanged\n"
    assert bench.run(config).row("acme")["status"] == "active"
