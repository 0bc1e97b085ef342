"""`tiktok-auth login`."""

from __future__ import annotations

import os
import sys
import textwrap
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import check_account_holder_uri
from tap_tiktok_auth.apis.platforms import LOGIN_KIT
from tap_tiktok_auth.cli import common, output, terminal
from tap_tiktok_auth.config import settings, values
from tap_tiktok_auth.config.models import DEFAULT_NAME, App
from tap_tiktok_auth.config.parsing import check_app
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import AuthorizationRequired, ConfigurationError, TikTokAuthError
from tap_tiktok_auth.login import finish
from tap_tiktok_auth.login.browser import has_browser, is_elsewhere, open_browser, page
from tap_tiktok_auth.login.consent import (
    LIFETIME,
    NotTheCallbackError,
    accept_response,
    begin_login,
    read_address,
)
from tap_tiktok_auth.login.listener import (
    START_PAGE_ONLY,
    Listener,
    TypedLines,
    wait_for_response,
)
from tap_tiktok_auth.login.plan import (
    DEFAULT_PORT,
    choose_redirect_uri,
    lends_app,
    listening_port,
    plan_login,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.login.consent import AuthorizationRequest, AuthorizationResponse

#: Stands for an address that is not on the command line.
_ASK = "-"


@click.command()
@common.name_argument
@common.config_option
@click.option("--api", type=click.Choice(tuple(APIS)), help="Token system. Default: the setting's.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="What to ask for; repeatable. The app's own authorization link from TikTok's portal "
    "stands for all that the app has. Default: what the connection has; if it is new, the least, "
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
@click.option(
    "--expect",
    metavar="SUBJECT",
    help="Keep the login only if this account, or an account with this ad account, authorised.",
)
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
    expect: str | None,
) -> None:
    """Let a person consent, and keep the tokens as the connection NAME.

    The browser opens TikTok's consent page and comes back to this machine, where the code is
    exchanged at once. App id and secret come from the settings, or are asked for. A login that
    fails leaves the connection as it was; one by somebody else than before is kept only if you
    say so. Without NAME the only connection is meant, once you have agreed, else the one named
    default.

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

    Exit code 3 if the person said no, nobody answered within ten minutes, or there is no terminal:
    the address is shown then, and the login ends with --complete.
    """
    if answer is not None and (name is not None or with_token or api or scopes or port):
        raise click.UsageError(
            "--complete stands alone: the login that it finishes knows its name, app and api."
        )
    with open_manager(common.load(config_paths)) as manager:
        if answer is not None:
            _complete(manager, answer, expect)
        elif with_token:
            _take_tokens(manager, name or _name_to_log_in(manager), api, expect)
        else:
            connection, requested = plan_login(
                manager, name or _name_to_log_in(manager), api, scopes
            )
            _log_in(manager, connection, requested, port, expect, no_browser=no_browser)


def _name_to_log_in(manager: TokenManager) -> str:
    """Return the connection that a login without a name is for, which may be a new `default`.

    Raises:
        click.UsageError: It would replace another's tokens, and there is nobody to ask.
        click.exceptions.Exit: The person did not mean that one; exit code 1.
    """
    try:
        connection = common.connection_named(manager, None).name
    except ConfigurationError:
        return DEFAULT_NAME  # there is none, or not the only one
    if connection != DEFAULT_NAME:
        if not sys.stdin.isatty():
            raise click.UsageError(f"Name the connection: {connection} again, or a new one.")
        common.confirm(f"Log in again as {connection}? (A new connection needs a name.)")
    return connection


def _complete(manager: TokenManager, answer: str, expect: str | None) -> None:
    """Finish a login that was begun by another process."""
    if answer == _ASK and terminal.is_attended():
        answer = terminal.ask("Address of the page after the consent")
    elif answer == _ASK:
        answer = _piped().partition("\n")[0]
    try:
        response = read_address(answer)
    except NotTheCallbackError as problem:
        raise ConfigurationError(
            str(problem).rstrip("."), next_step="Then run again: tiktok-auth login --complete"
        ) from None
    _print(_finish(manager, accept_response(manager, response), expect))


def _take_tokens(manager: TokenManager, name: str, api: str | None, expect: str | None) -> None:
    """Start a connection from tokens that the person holds."""
    connection = _completed(manager, plan_login(manager, name, api, ())[0], needs_address=False)
    seed = finish.seed_of(connection.api, _held_tokens())
    if expect is not None and seed.access_token is None:
        raise ConfigurationError(
            "a refresh token alone does not tell whose it is until it is used up",
            next_step="Give the access token too, or leave --expect out.",
        )
    _print(_finish(manager, replace(connection, seed=seed), expect))


def _held_tokens() -> dict[str, str]:
    """Return the tokens that the person holds: typed without echo, or piped into stdin.

    Raises:
        ConfigurationError: There is none, or what is given is no token.
    """
    if not terminal.is_attended():
        return finish.read_tokens(_piped())
    terminal.say("The tokens are not shown while you type. Leave out what you do not have.")
    names = {"access_token": "Access token", "refresh_token": "Refresh token"}
    return finish.check_tokens(
        {name: terminal.ask(label, hidden=True, optional=True) for name, label in names.items()}
    )


def _piped() -> str:
    """Return what is piped in; nothing from the terminal of a CI job, where nobody types."""
    nothing = sys.stdin is None or sys.stdin.isatty()
    return "" if nothing else sys.stdin.read(finish.TOKENS_LIMIT + 1)


def _completed(manager: TokenManager, connection: Connection, *, needs_address: bool) -> Connection:
    """Return the connection with the app and the callback address that its login needs.

    Args:
        manager: For its settings.
        connection: The connection.
        needs_address: Whether there is no callback address unless someone gives one.

    Raises:
        ConfigurationError: Something is missing and nobody can be asked.
    """
    app, redirect_uri = connection.app, connection.redirect_uri
    if app is None:
        # The settings may have the app id alone: then only its secret is asked for.
        defaults = manager.config.defaults
        app_id = defaults.app_id if lends_app(defaults.api, connection.api) else None
        what = "app_secret is" if app_id else "app_id and app_secret are"
        _refuse_without_terminal(what, connection)
        is_login_kit = APIS.platform(connection.api) is LOGIN_KIT
        app_id = app_id or _ask("Client key" if is_login_kit else "App id", "app_id")
        label = "Client secret" if is_login_kit else "App secret"
        app = App(app_id, _ask(label, "app_secret", hidden=True))
    if redirect_uri is None and needs_address:
        _refuse_without_terminal("redirect_uri is", connection)
        redirect_uri = _ask("Callback address, as registered for the app", "redirect_uri")
    check_app(connection.api, app.app_id, app.secret)
    return replace(connection, app=app, redirect_uri=redirect_uri)


def _ask(label: str, setting: str, *, hidden: bool = False) -> str:
    value = terminal.ask(label, hidden=hidden)
    values.validate({setting: value}, settings.PER_CONNECTION)
    return value


def _refuse_without_terminal(what: str, connection: Connection) -> None:
    if not terminal.is_attended():
        raise ConfigurationError(
            f"{what} missing for connection {connection.name}",
            next_step="Set TAP_TIKTOK_AUTH_APP_ID, TAP_TIKTOK_AUTH_APP_SECRET and, for the apis "
            "accounts and creator, TAP_TIKTOK_AUTH_REDIRECT_URI; or run this on a terminal.",
        )


def _log_in(
    manager: TokenManager,
    connection: Connection,
    requested: tuple[str, ...],
    port: int | None,
    expect: str | None,
    *,
    no_browser: bool,
) -> None:
    """Send the person to the consent page, wait for the callback, exchange the code."""
    token_system = APIS[connection.api]
    is_remote = token_system.loopback_host is None
    connection = _completed(manager, connection, needs_address=is_remote)
    redirect_uri = choose_redirect_uri(token_system, connection.redirect_uri, port)
    advice = check_account_holder_uri(redirect_uri) if is_remote else None
    if advice:
        output.tell(advice)
    request = begin_login(manager, connection, redirect_uri, requested)
    if not requested and token_system.account_holder:
        terminal.say(
            f"Asking for {', '.join(request.scopes)} alone. For more use --scope; for all that the "
            "app has, give it the app's authorization link from TikTok's portal."
        )
    if not terminal.is_attended():
        terminal.say(f"Open this address in a browser, and allow the access:\n\n{request.url}\n")
        raise AuthorizationRequired(
            "there is no terminal to wait on; for ten minutes the login can be finished with the "
            "address on which the browser ends",
            next_step="Then run, on a terminal or with that address on stdin: "
            "tiktok-auth login --complete",
        ).of(connection.name)
    opens = not no_browser and has_browser(os.environ)
    can_listen = listening_port(redirect_uri) is not None
    listens = can_listen and not (port is None and is_elsewhere(os.environ))
    with ExitStack() as stack:
        listener = None
        if opens or listens:
            listener = Listener(request, terminal.say, None if listens else START_PAGE_ONLY)
            stack.enter_context(listener)
        opened = opens and listener is not None and open_browser(listener.start_url, os.environ)
        _explain(request, listener, opened=opened, listens=listens)
        typed = TypedLines(sys.stdin.fileno())
        came = wait_for_response(request, listener, typed, LIFETIME, terminal.say)
        if came is None and typed.ended:
            raise click.Abort
        if came is None:
            raise AuthorizationRequired(
                "nobody answered within ten minutes",
                next_step="Run: tiktok-auth login {connection}",
            ).of(connection.name)
        response, by_listener = came
        _exchange(manager, request, response, listener if by_listener else None, expect)


def _exchange(
    manager: TokenManager,
    request: AuthorizationRequest,
    response: AuthorizationResponse,
    listener: Listener | None,
    expect: str | None,
) -> None:
    """Exchange the code, and let the browser's page tell how that went."""
    name = request.connection
    try:
        done = _finish(manager, accept_response(manager, response), expect, listener)
    except TikTokAuthError as error:
        if listener is not None:
            kind = "denied" if response.error == "access_denied" else "failed"
            listener.conclude(page(kind, name, error.cause))
        raise
    if listener is not None:
        listener.conclude(page("connected", name, facts=done.facts()))
    _print(done, request.scopes)


def _finish(
    manager: TokenManager,
    connection: Connection,
    expect: str | None,
    listener: Listener | None = None,
) -> finish.FinishedLogin:
    """Keep the connection, once the person agrees where someone else authorised than before."""

    def confirm(question: str) -> bool:
        if not terminal.is_attended():
            return False
        if listener is not None:
            listener.conclude(page("asked", connection.name))
        return terminal.confirm(question, manager.stop)

    return finish.finish_login(manager, connection, expect=expect, confirm=confirm)


def _explain(
    request: AuthorizationRequest, listener: Listener | None, *, opened: bool, listens: bool
) -> None:
    uri = request.redirect_uri
    if opened:
        terminal.say("The browser shows TikTok's consent page.")
    elif listener is not None:
        terminal.say("Open this address in a browser on this machine, and allow the access:")
        terminal.say(f"\n{listener.start_url}\n")
    if listens:
        terminal.say(
            f"Waiting up to ten minutes for the browser at {uri} (registered for the app?)."
        )
    if listener is not None:
        terminal.say("In another browser, or on another machine, open this one instead:")
    else:
        terminal.say("Open this address in a browser, and allow the access:")
    terminal.say(f"\n{request.url}\n")
    if not listens:
        terminal.say("It may end on an error page: the address bar has what is needed.")
    otherwise = "From there paste" if listens else "Then paste"
    terminal.say(f"{otherwise} the address of the page on which it ends, beginning with {uri}:")


def _print(done: finish.FinishedLogin, requested: Sequence[str] = ()) -> None:
    """Print who authorised what, and warn of what TikTok does not confirm."""
    connection = done.result.connection
    click.echo(f"Connected: {connection.name} ({connection.api})")
    for label, text in done.facts():
        wrapped = [textwrap.wrap(line, 62, break_on_hyphens=False) for line in text.split("\n")]
        lines = [line for part in wrapped for line in part] or [""]
        click.echo("\n".join([f"  {label:<15} {lines[0]}", *(f"{'':18}{x}" for x in lines[1:])]))
    for warning in done.warnings(requested):
        output.tell(warning)
