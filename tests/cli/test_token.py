"""`tiktok-auth token`: a fresh token, as fast as can be, of the connection that is meant."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.store.keys import new_key
from tests.login.people import free_port

from .terminal import Terminal
from .world import DAY

if TYPE_CHECKING:
    from pathlib import Path

    from .world import World

KEY, STORE = "TAP_TIKTOK_AUTH_TOKEN_STORE_KEY", "TAP_TIKTOK_AUTH_TOKEN_STORE"

#: Runs the command, and prints its exit code and the slow packages that it has loaded.
_RUN = """
import sys
from tap_tiktok_auth.command import tiktok_auth
sys.argv = ["tiktok-auth", *sys.argv[1:]]
code = 0
try:
    tiktok_auth()
except SystemExit as end:
    code = end.code or 0
slow = {"click", "requests", "singer_sdk", "rich", "logging", "aiohttp", "psycopg", "sqlalchemy"}
print(code, *sorted(slow & set(sys.modules)), file=sys.stderr)
"""


def ask(*arguments: str, **environment: str) -> tuple[str, str, list[str]]:
    """Return stdout, stderr, and the exit code with the slow packages."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments],
        env={**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    *said, ended = done.stderr.splitlines()
    return done.stdout, "\n".join(said), ended.split()


def test_a_fresh_token_needs_no_command_line(world: World) -> None:
    """The first call exchanges; the second prints the same token and loads nothing slow."""
    acme = world.configure(acme="accounts")

    first, _, ended = ask("token", "acme", **acme)
    again, _, ended_again = ask("token", "acme", **acme)

    assert first == again == f"{world.token('acme').access_token}\n"
    assert (ended[0], "click" in ended) == ("0", True)
    assert ended_again == ["0"]
    assert world.tiktok.count(action="exchange") == 1


@pytest.mark.parametrize("arguments", [["--json"], ["--min-lifetime", "1h"]])
def test_a_cached_token_needs_no_http_client(world: World, arguments: list[str]) -> None:
    """With options, click is loaded, and neither Singer's SDK nor what sends requests or draws."""
    world.keep("acme")

    assert ask("token", "acme", *arguments)[2] == ["0", "click", "logging"]


@pytest.mark.parametrize("how", ["due", "unsettled"])
def test_a_token_that_is_not_fresh_goes_the_usual_way(world: World, how: str) -> None:
    """The fast path leaves a token that is due, or whose request is unsettled, to the rest."""
    world.keep("acme", age=DAY - 900 if how == "due" else 0)
    if how == "unsettled":
        world.tiktok.scenario("drop_before", path="/refresh_token/", times=1)
        world.run("refresh", "acme", "--force")

    out, _, ended = ask("token", "acme")

    assert (ended[0], "click" in ended) == ("0", True)
    assert out.strip() == world.token("acme").access_token


def test_what_is_wrong_is_told_as_by_any_command(world: World, tmp_path: Path) -> None:
    """A name, a setting and a store that are wrong: one line, the same by both ways."""
    world.keep("acme")
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"no database " * 1_000)
    damaged.chmod(0o600)
    for name, environment, said in (
        ("nobody", {}, "there is no connection named nobody"),
        ("acme", {"TAP_TIKTOK_AUTH_REFRESH_MARGIN": "soon"}, "MARGIN must be a whole number"),
        ("acme", {STORE: f"sqlite:///{damaged}"}, "is damaged or no SQLite file"),
        ("acme", {KEY: new_key()}, "key does not fit"),
        ("a\x1b[31mb", {}, "is not a valid connection name"),
        ("a\x1b[31mb", {KEY: new_key()}, ""),
    ):
        for options in ([], ["--min-lifetime", "0"]):
            out, err, ended = ask("token", name, *options, **environment)

            assert (out, ended[0], err.count("\n")) == ("", "1", 0)
            assert said in err
            assert "\x1b" not in err


def test_a_token_that_nobody_reads_is_not_complained_about(world: World) -> None:
    """A closed pipe ends the command quietly, a full disk with one line without the token."""
    world.keep("acme")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe, open("/dev/full", "w") as full:  # noqa: PTH123
        assert world.process("token", "acme", stdout=pipe)[::2] == (1, "")
        said = "tiktok-auth: cannot print the token: No space left on device\n"
        assert world.process("token", "acme", stdout=full)[::2] == (1, said)


@pytest.mark.parametrize("names", [["acme"], ["default"], ["acme", "default", "zeta"]])
@pytest.mark.parametrize(
    "command", [["token"], ["exec", "--", "sh", "-c", 'printf %s "$TIKTOK_ACCESS_TOKEN"']]
)
def test_without_a_name_one_is_meant(world: World, command: list[str], names: list[str]) -> None:
    """`token` and `exec` take the only connection, else the one named default."""
    for name in names:
        world.keep(name)

    code, out, err = world.process(*command)

    meant = names[0] if len(names) == 1 else "default"
    assert (code, out.strip(), err) == (0, world.token(meant).access_token, "")


@pytest.mark.parametrize("command", ["token", "exec -- true", "revoke", "forget"])
def test_several_without_a_default_need_a_name(world: World, command: str) -> None:
    """Nothing is guessed among several connections."""
    world.keep("acme")
    world.keep("zeta")

    result = world.run(*command.split())

    assert result.exit_code == 1
    assert "Name one of: acme, zeta" in result.stderr


@pytest.mark.parametrize("options", [["--no-browser"], ["--with-token"]])
def test_login_does_not_replace_the_only_connection_unasked(
    world: World, options: list[str]
) -> None:
    """Without a terminal, a login must say whether it is for the connection that is there."""
    before = world.keep("acme")

    result = world.run("login", *options)

    assert result.exit_code == 2
    assert "Name the connection: acme again, or a new one" in result.stderr
    assert world.record("acme") == before


def test_login_asks_whether_the_only_connection_is_meant(world: World) -> None:
    """On a terminal the only connection is meant, once the person agrees."""
    world.keep("acme", "marketing")

    terminal = Terminal("login", "--no-browser", "--port", str(free_port()))
    terminal.wait_for("Log in again as acme?")
    terminal.type("n\n")

    assert terminal.end() == 1
    assert "nothing was changed" in terminal.raw
