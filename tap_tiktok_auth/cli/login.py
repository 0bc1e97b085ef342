"""`tiktok-auth login`."""

from __future__ import annotations

import os
import sys
import textwrap
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.cli import login_asks
from tap_tiktok_auth.cli.common import (
    config_option,
    name_argument,
    name_to_log_in,
    one_line_errors,
    open_session,
    tell,
)
from tap_tiktok_auth.connections import Connection
from tap_tiktok_auth.errors import AuthorizationRequired, ConfigurationError, TikTokAuthError
from tap_tiktok_auth.login import given, pages, summary
from tap_tiktok_auth.login.address import DEFAULT_PORT, choose_address
from tap_tiktok_auth.login.attempt import LIFETIME, begin, take
from tap_tiktok_auth.login.browser import open_browser
from tap_tiktok_auth.login.callback import NotTheCallbackError, read_address
from tap_tiktok_auth.login.connected import connect
from tap_tiktok_auth.login.listener import Listener
from tap_tiktok_auth.login.plan import is_login_kit, plan_login
from tap_tiktok_auth.login.waiting import Pasted, wait_for_callback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_tiktok_auth.broker import Broker
    from tap_tiktok_auth.login.address import CallbackAddress
    from tap_tiktok_auth.login.attempt import Begun
    from tap_tiktok_auth.login.callback import Callback
    from tap_tiktok_auth.login.connected import Connected
    from tap_tiktok_auth.login.plan import Plan

#: Stands for an address that is not on the command line.
_ASK = "-"


@click.command()
@name_argument
@config_option
@click.option("--api", type=click.Choice(tuple(APIS)), help="Token system. Default: the setting's.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="What to ask for; repeatable. Default: what the connection has; if it is new, the least, "
    "and of advertisers all that the app may have.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Port of the callback on this machine. Default: that of redirect_uri, or {DEFAULT_PORT}.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address to open.")
@click.option(
    "--complete",
    "answer",
    is_flag=False,
    flag_value=_ASK,
    metavar="[URL]",
    help="Finish a login begun elsewhere; without URL it is asked for, or read from stdin.",
)
@click.option(
    "--with-token",
    is_flag=True,
    help="Take tokens that you hold already, from stdin or typed without echo.",
)
@one_line_errors
def login(  # noqa: PLR0913  (one parameter for each option)
    name: str | None,
    *,
    config_paths: tuple[str, ...],
    api: str | None,
    scopes: tuple[str, ...],
    port: int | None,
    no_browser: bool,
    answer: str | None,
    with_token: bool,
) -> None:
    """Let a person consent, and keep the tokens as the connection NAME.

    The browser opens TikTok's consent page and comes back to this machine, where the code is
    exchanged at once. App id and secret come from the settings, or are asked for. A login that
    fails leaves the connection as it was. Without NAME the only connection is meant, once you have
    agreed, else the one named default.

    \b
      tiktok-auth login acme
      tiktok-auth login shop --api accounts
      tiktok-auth login fan --api login_kit --scope user.info.basic,video.list
      tiktok-auth login acme --no-browser
      tiktok-auth login --complete
      jq .token secrets.json | tiktok-auth login acme --with-token

    \b
    Register the callback address for the app first:
      marketing, creator_marketplace  http://localhost:8917/callback/
      login_kit (desktop)             http://127.0.0.1:*/callback/
      accounts, creator               an https address; set it as redirect_uri

    TikTok sends account holders to no address on this machine: allow the access, then paste the
    address of the page on which the browser ends. The same works over ssh, with --no-browser, or
    with --complete on another machine that shares the token store.

    Exit code 3 if the person said no, or nobody answered within ten minutes.
    """  # noqa: D301  (click's mark for text that keeps its lines)
    _refuse_mixed(name, answer, with_token=with_token, others=bool(api or scopes or port))
    scopes = tuple(part for scope in scopes for part in scope.split(",") if part)
    with open_session(config_paths) as broker:
        if answer is not None:
            _complete(broker, answer)
        elif with_token:
            _take_tokens(broker, name or name_to_log_in(broker), api)
        else:
            name = name or name_to_log_in(broker)
            _log_in(broker, name, api, scopes, port, no_browser=no_browser)


def _refuse_mixed(name: str | None, answer: str | None, *, with_token: bool, others: bool) -> None:
    if answer is not None and (name is not None or with_token or others):
        raise click.UsageError(
            "--complete stands alone: the login that it finishes knows its name, app and api."
        )


def _complete(broker: Broker, answer: str) -> None:
    """Finish a login that was begun by another process."""
    try:
        callback = read_address(login_asks.address() if answer == _ASK else answer)
    except NotTheCallbackError as problem:
        raise ConfigurationError(
            str(problem).rstrip("."), next_step="Then run again: tiktok-auth login --complete"
        ) from None
    _show(connect(broker, take(broker, callback)))


def _take_tokens(broker: Broker, name: str, api: str | None) -> None:
    """Start a connection from tokens that the person holds."""
    plan = plan_login(broker, name, api, ())
    plan = login_asks.complete(plan, app_id=_told_app_id(broker, plan), needs_address=False)
    seed = given.seed_of(plan.api, login_asks.tokens())
    connection = Connection(
        plan.name,
        plan.api,
        plan.app,
        seed,
        redirect_uri=plan.redirect_uri,
        advertiser_ids=plan.advertiser_ids,
    )
    _show(connect(broker, connection))


def _told_app_id(broker: Broker, plan: Plan) -> str | None:
    """Return the app id of the settings, whose secret may be left for the person to type."""
    defaults = broker.config.defaults
    lends = is_login_kit(defaults.api) == is_login_kit(plan.api)
    return defaults.app_id if lends else None


def _log_in(
    broker: Broker,
    name: str,
    api: str | None,
    scopes: tuple[str, ...],
    port: int | None,
    *,
    no_browser: bool,
) -> None:
    """Send the person to the consent page, wait for the callback, exchange the code."""
    plan = plan_login(broker, name, api, scopes)
    plan = login_asks.complete(
        plan,
        app_id=_told_app_id(broker, plan),
        needs_address=not APIS[plan.api].loopback_redirect,
    )
    address = choose_address(broker.api(Connection(name, plan.api)), plan.redirect_uri, port)
    with ExitStack() as stack:
        begun = begin(broker, plan, address)
        listener = stack.enter_context(_listener(begun, address)) if address.port else None
        opened = not no_browser and open_browser(begun.url, os.environ)
        _explain(begun, opened=opened, listens=listener is not None)
        if listener is None and not login_asks.has_terminal():
            raise AuthorizationRequired(
                "the login waits for ten minutes for the address on which the browser ends",
                next_step="Then run here, or where the token store is shared: "
                "tiktok-auth login --complete",
            ).of(name)
        pasted = Pasted(sys.stdin.fileno()) if login_asks.has_terminal() else None
        came = wait_for_callback(begun, listener, pasted, LIFETIME, _say)
        if came is None:
            raise AuthorizationRequired(
                "nobody answered within ten minutes",
                next_step="Run: tiktok-auth login {connection}",
            ).of(name)
        callback, by_listener = came
        _finish(broker, begun, callback, listener if by_listener else None)


def _listener(begun: Begun, address: CallbackAddress) -> Listener:
    def stranger() -> None:
        _say("A callback of another login came and was not used. Still waiting.")

    return Listener(
        address.port or 0, address.path, lambda callback: callback.belongs_to(begun.state), stranger
    )


def _finish(broker: Broker, begun: Begun, callback: Callback, listener: Listener | None) -> None:
    """Exchange the code, and let the browser's page tell how that went."""
    try:
        done = connect(broker, take(broker, callback))
    except TikTokAuthError as error:
        if listener is not None:
            denied = callback.error == "access_denied"
            page = pages.denied(begun.name) if denied else pages.failed(begun.name, error.cause)
            listener.conclude(page)
        raise
    if listener is not None:
        listener.conclude(pages.connected(done.name, summary.facts(done)))
    _show(done, begun.scopes)


def _explain(begun: Begun, *, opened: bool, listens: bool) -> None:
    uri = begun.address.uri
    if opened:
        _say("The browser shows TikTok's consent page. If it does not, open this address:")
    else:
        _say("Open this address in a browser, and allow the access:")
    click.echo(f"\n{begun.url}\n", err=True)
    if listens:
        _say(f"Waiting up to ten minutes for the browser at {uri} (registered for the app?).")
    if login_asks.has_terminal():
        otherwise = "If it runs on another machine, paste" if listens else "Then paste"
        _say(f"{otherwise} the address of the page on which it ends, beginning with {uri}:")


def _show(done: Connected, asked: Sequence[str] = ()) -> None:
    """Print who authorised what, and end with the exit code of what TikTok does not confirm."""
    record = done.after.record
    click.echo(f"Connected: {done.name} ({record.api if record else ''})")
    for label, text in summary.facts(done):
        wrapped = [textwrap.wrap(line, 62, break_on_hyphens=False) for line in text.split("\n")]
        lines = [line for part in wrapped for line in part] or [""]
        click.echo("\n".join([f"  {label:<15} {lines[0]}", *(f"{'':18}{x}" for x in lines[1:])]))
    for warning in summary.warnings(done, asked):
        tell(warning)


def _say(line: str) -> None:
    """Print a line of the conversation, which is not the result."""
    click.echo(line, err=True)
