"""A connection's status is one word, wherever it is shown."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import pytest

from tap_tiktok_auth.credentials.models import Status
from tests.standin.runs import TAP

from .terminal import run
from .world import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from .world import World

WRONG = "0" * 40


def active(world: World) -> dict[str, str]:
    """Have a connection that is well."""
    world.keep("acme")
    return {}


def revoked(world: World) -> dict[str, str]:
    """Have one that a person ended."""
    world.keep("acme", status="revoked", token=None)
    return {}


def consent_over(world: World) -> dict[str, str]:
    """Have one whose consent ended by the clock, which nobody has noted yet."""
    world.keep("acme", age=400 * DAY)
    return {}


def consent_over_while_failing(world: World) -> dict[str, str]:
    """Have one whose consent ended by the clock, and whose refreshes had failed before."""
    world.keep("acme", age=400 * DAY, status="refresh_failing")
    return {}


def refused(world: World) -> dict[str, str]:
    """Have one whose refresh token TikTok refuses; its access token has ended."""
    world.keep("acme", age=2 * DAY)
    world.tiktok.revoke(world.secrets("acme")[2])
    return {}


def rejected_and_not_renewable(world: World) -> dict[str, str]:
    """Have one whose consent has ended and whose token TikTok refuses, though it had hours left."""
    record = world.keep("acme")
    assert record.token is not None
    hour_ago = time.time() - 3600
    over = replace(record.token, refresh_expires_at=hour_ago, consent_deadline=hour_ago)
    world.keep_many(replace(record, token=over, generation=2))
    world.tiktok.revoke(record.token.access_token)
    return {}


def failing(world: World) -> dict[str, str]:
    """Have one that cannot be refreshed, as its app's secret is wrong; its token works."""
    world.keep("acme", age=DAY - 900, app_secret=WRONG)
    return {}


def refused_while_it_works(world: World) -> dict[str, str]:
    """Have one whose refresh token TikTok refuses while its access token works."""
    record = world.keep("acme", age=DAY - 900)
    assert record.token is not None
    unknown = replace(record.token, refresh_token="rft.nobody-knows-it")
    world.keep_many(replace(record, token=unknown, generation=2))
    return {}


def unanswered(world: World) -> dict[str, str]:
    """Have one whose refresh gets no answer; its token works."""
    world.keep("acme", age=DAY - 900)
    world.tiktok.scenario("drop_before", path="/refresh_token/")
    return {}


def exchange_failed(world: World) -> dict[str, str]:
    """Have one whose code cannot be exchanged, as TikTok knows no such app."""
    found = world.configure(acme="marketing")
    app_id = world.tiktok.app("marketing").app_id
    return {name: value.replace(app_id, "7000000000000000001") for name, value in found.items()}


def exchange_refused(world: World) -> dict[str, str]:
    """Have one whose code TikTok refuses."""
    found = world.configure(acme="marketing")
    code = world.tiktok.settings("marketing")["auth_code"]
    (name,) = found
    entries = json.loads(found[name])
    entries[0]["auth_code"] = code[::-1]
    return {name: json.dumps(entries)}


CASES: dict[Callable[[World], dict[str, str]], str] = {
    active: "active",
    revoked: "revoked",
    consent_over: "reauthorization_required",
    consent_over_while_failing: "reauthorization_required",
    refused: "reauthorization_required",
    rejected_and_not_renewable: "reauthorization_required",
    failing: "refresh_failing",
    refused_while_it_works: "refresh_failing",
    unanswered: "unconfirmed",
    exchange_failed: "pending",
    exchange_refused: "reauthorization_required",
}


def test_every_status_is_looked_at() -> None:
    """The cases below have every status that there is."""
    assert set(CASES.values()) == set(get_args(Status))


@pytest.mark.parametrize("name", [case.__name__ for case in CASES])
def test_one_word_everywhere(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Stream, pipe, terminal, JSON, doctor and refresh say the same at the same moment."""
    case, word = next((case, word) for case, word in CASES.items() if case.__name__ == name)
    for variable, value in case(world).items():
        monkeypatch.setenv(variable, value)
    before = world.run("status").stdout.split()[-3:] if "consent" in name else []

    done = subprocess.run([TAP], capture_output=True, text=True, check=False, env=dict(os.environ))
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    (stream,) = (m["record"]["status"] for m in messages if m.get("stream") == "token_metadata"
                 and m["type"] == "RECORD")  # fmt: skip

    said = {
        "stream": stream,
        "json": world.json("status")[0]["status"],
        "pipe": world.run("status").stdout.splitlines()[1].split()[2],
        "terminal": run("status")[1].lines[2].split()[2],
        "doctor": {f["status"] for f in world.json("doctor") if f["connection"]}.pop(),
        "refresh": world.json("refresh", "acme")[0]["status"],
    }
    assert said == dict.fromkeys(said, word)
    assert not before or before[0] == word


def test_the_doctor_uses_the_word(world: World) -> None:
    """The doctor's line of a connection begins with the same word."""
    world.keep("over", age=400 * DAY)

    assert "connection over: reauthorization_required: " in world.run("doctor").stdout


def test_a_rejected_token_with_hours_left_needs_a_person(world: World) -> None:
    """What TikTok refuses, and nothing renews, is not served, and no command calls it well."""
    rejected_and_not_renewable(world)
    world.run("status", "--check")

    token, status = world.run("token", "acme"), world.run("status")
    assert (token.exit_code, token.stdout) == (3, "")
    assert status.exit_code == 3
    assert "connection acme: " in status.stderr
    assert "problem  connection acme: reauthorization_required: " in world.run("doctor").stdout


def test_the_pipe_and_the_terminal_agree_on_one_never_tried(world: World) -> None:
    """A connection of the config that no run has tried is pending on a terminal and in JSON."""
    environment = world.configure(acme="accounts")

    rows = json.loads(world.run("status", "--json", **environment).stdout)
    _, terminal = run("status", environment=environment)

    assert rows[0]["status"] == "pending"
    assert any(line.split()[:3] == ["acme", "accounts", "pending"] for line in terminal.lines)
