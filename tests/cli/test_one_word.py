"""A connection's status is one word, wherever it is shown."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any, get_args

import pytest

from tap_tiktok_auth.credentials.models import Status
from tests.standin.runs import TAP

from .terminal import run
from .world import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from .world import World


def _in_store(
    age: float = 0.0, *, token: dict[str, Any] | None = None, **changes: Any
) -> Callable[[World], dict[str, str]]:
    """Return what puts a connection into the store, and changes its token."""

    def prepare(world: World) -> dict[str, str]:
        world.keep("acme", age=age, **changes)
        if token is not None:
            world.change_token("acme", **token)
        return {}

    return prepare


def _revoked_at_tiktok(kind: str, age: float) -> Callable[[World], dict[str, str]]:
    """Return what has TikTok refuse a token of a stored connection."""

    def prepare(world: World) -> dict[str, str]:
        world.keep("acme", age=age)
        world.tiktok.revoke(getattr(world.token("acme"), kind))
        if kind == "access_token":  # and nothing can renew it, though it had hours left
            over = time.time() - 3600
            world.change_token("acme", refresh_expires_at=over, consent_deadline=over)
        return {}

    return prepare


rejected_and_not_renewable = _revoked_at_tiktok("access_token", 0)


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


#: Each case, and the one word for it.
CASES = {
    "active": (_in_store(), "active"),
    "revoked": (_in_store(status="revoked", token=None), "revoked"),
    "over-by-the-clock": (_in_store(400 * DAY), "reauthorization_required"),
    "over-while-failing": (
        _in_store(400 * DAY, status="refresh_failing"), "reauthorization_required",
    ),
    "refresh-token-refused": (
        _revoked_at_tiktok("refresh_token", 2 * DAY), "reauthorization_required",
    ),
    "access-token-refused": (rejected_and_not_renewable, "reauthorization_required"),
    "wrong-app-secret": (_in_store(DAY - 900, app_secret="0" * 40), "refresh_failing"),
    "refresh-token-refused-while-it-works": (
        _in_store(DAY - 900, token={"refresh_token": "rft.nobody-knows-it"}), "refresh_failing",
    ),
    "unanswered": (unanswered, "unconfirmed"),
    "exchange-failed": (exchange_failed, "pending"),
    "exchange-refused": (exchange_refused, "reauthorization_required"),
}  # fmt: skip


def test_every_status_is_looked_at() -> None:
    """The cases have every status that there is."""
    assert {word for _, word in CASES.values()} == set(get_args(Status))


@pytest.mark.parametrize("case", CASES)
def test_one_word_everywhere(world: World, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Stream, pipe, terminal, JSON, doctor and refresh say the same at the same moment."""
    prepare, word = CASES[case]
    for variable, value in prepare(world).items():
        monkeypatch.setenv(variable, value)
    if case.startswith("over"):  # the clock alone says so, before any run has noted it
        assert world.json("status")[0]["status"] == word

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
