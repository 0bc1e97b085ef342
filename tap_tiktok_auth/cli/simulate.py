"""`tiktok-auth simulate`: a TikTok to test against, for a shell or for one command."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth import apis as token_systems
from tap_tiktok_auth import simulator
from tap_tiktok_auth.cli.exec import ListingCommand, command_environment, start_failure
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.process import Stop
from tap_tiktok_auth.simulator.model import APIS
from tap_tiktok_auth.simulator.scenarios import KINDS, Scenario
from tap_tiktok_auth.simulator.throttle import TIERS
from tap_tiktok_auth.store.keys import new_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

    from tap_tiktok_auth.simulator import Simulator

_KEPT = frozenset({f"{ENV_PREFIX}LOGLEVEL"})
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _scenarios(
    _ctx: click.Context, _param: click.Parameter, specs: tuple[str, ...]
) -> tuple[Scenario, ...]:
    """Read the scenarios, or end with a usage error that says what is wrong."""
    try:
        return tuple(map(Scenario.parse, specs))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


class _Simulate(ListingCommand):
    section = "Scenarios"
    listed = tuple((name, about) for name, (about, _) in KINDS.items())


@click.command(cls=_Simulate, context_settings={"allow_interspersed_args": False})
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free port.")
@click.option(
    "--latency-ms", type=click.FloatRange(min=0), default=0.0, help="Delay of every answer."
)
@click.option(
    "scenarios",
    "--scenario",
    callback=_scenarios,
    multiple=True,
    metavar="NAME[=VALUE][xTIMES][@PATH]",
    help="What goes wrong, how often, and where; repeatable.",
)
@click.option(
    "apis",
    "--api",
    type=click.Choice([*APIS, "all"]),
    multiple=True,
    default=("marketing",),
    show_default=True,
    help="Token systems to make connections for; repeatable.",
)
@click.option("--tier", type=click.Choice(TIERS), default="off", help="Rate limits of the app.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def simulate(
    ctx: click.Context,
    port: int,
    latency_ms: float,
    scenarios: tuple[Scenario, ...],
    apis: tuple[str, ...],
    tier: str,
    command: tuple[str, ...],
) -> None:
    """Run a simulated TikTok on this machine.

    Without COMMAND it prints the settings to use, and serves until Ctrl-C. With COMMAND it runs
    that command with settings that point at the simulator, a fresh code and a throw-away token
    store, and ends with its exit code. Other TAP_TIKTOK_AUTH_ variables are hidden from it, as is
    all that "exec" withholds.

    \b
      tiktok-auth simulate -- tap-tiktok-auth --config ENV
      tiktok-auth simulate --api all -- tiktok-auth status
      tiktok-auth simulate --scenario rate_limitedx3 -- ...
      tiktok-auth simulate --scenario latency=250 --scenario drop_replyx1@/refresh_token/
    """
    wanted = APIS if "all" in apis else tuple(dict.fromkeys(apis))
    # The folder is made with mode 0700.
    with (
        _running(port, latency_ms / 1000, tier) as tiktok,
        tempfile.TemporaryDirectory(prefix="tiktok-simulator-") as folder,
    ):
        for scenario in scenarios:
            tiktok.scenario(
                scenario.name, value=scenario.value, times=scenario.times, path=scenario.path
            )
        variables = _settings(tiktok, wanted, Path(folder).resolve())
        if command:
            ctx.exit(_run(command, {**command_environment(os.environ, _KEPT), **variables}))
        _serve(tiktok.url, variables)


@contextlib.contextmanager
def _running(port: int, latency: float, tier: str) -> Iterator[Simulator]:
    try:
        tiktok = simulator.Simulator(port=port, latency=latency, tier=tier)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "aiohttp":
            raise
        raise click.ClickException(
            "the simulator needs aiohttp: pip install 'tap-tiktok-auth[simulator]'"
        ) from None
    try:
        tiktok.start()
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on port {port} ({error.strerror}); choose another with --port"
        ) from None
    try:
        yield tiktok
    finally:
        tiktok.stop()


def _settings(tiktok: Simulator, apis: Sequence[str], folder: Path) -> dict[str, str]:
    """Return environment variables that point the tap at a simulator.

    Args:
        tiktok: The running simulator.
        apis: One gives top-level settings, several give `connections`.
        folder: Where the token store goes.
    """
    connections = []
    for api in apis:
        names = ["api", "app_id", "app_secret", "auth_code"]
        names += ["redirect_uri"] if token_systems.APIS[api].account_holder else []
        found = tiktok.settings(api)
        connections.append({name: found[name] for name in names})
    if len(connections) == 1:
        (settings,) = connections
    else:
        named = [{"name": api, **found} for api, found in zip(apis, connections, strict=True)]
        settings = {"connections": json.dumps(named)}
    settings |= {
        "business_api_url": tiktok.url,
        "login_kit_api_url": tiktok.url,
        "tiktok_url": tiktok.url,
        "token_store": f"sqlite:///{folder / 'tokens.db'}",
        "token_store_key": new_key(),
    }
    return {f"{ENV_PREFIX}{name.upper()}": value for name, value in settings.items()}


def _serve(url: str, variables: Mapping[str, str]) -> None:
    ended = Stop()
    with _handling(lambda *_: ended.set()):
        click.echo(f"# TikTok simulator at {url}; controls at {url}/_simulator/; Ctrl-C ends it")
        for name, value in variables.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        while not ended.wait(1.0):
            pass


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end, passing signals on; return its exit code."""
    early: list[int] = []
    running: list[subprocess.Popen[bytes]] = []

    def forward(number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and _terminal_sends_signals():
            return  # Ctrl-C has reached the command already
        if running:
            running[0].send_signal(number)
        else:
            early.append(number)

    with _handling(forward):
        try:
            # The person's own command, run as it was given, without a shell.
            child = subprocess.Popen(command, env=dict(environment))  # noqa: S603  (what the user typed)
        except OSError as error:
            code, why = start_failure(command[0], error, environment)
            click.echo(f"Error: {why}", err=True)
            return code
        running.append(child)
        for number in early:
            child.send_signal(number)
        code = child.wait()
    return 128 - code if code < 0 else code


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _FORWARDED}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _terminal_sends_signals() -> bool:
    """Whether we share a terminal's foreground group with the command."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
