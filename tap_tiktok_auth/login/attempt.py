"""Beginning a login and finishing it, here or elsewhere."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.config.models import App, Connection, Seed
from tap_tiktok_auth.credentials.models import PendingLogin
from tap_tiktok_auth.errors import AuthorizationRequired, ConfigurationError, TikTokAuthError
from tap_tiktok_auth.login.callback import denial, is_our_state
from tap_tiktok_auth.network import origin_of

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.login.address import CallbackAddress
    from tap_tiktok_auth.login.callback import Callback
    from tap_tiktok_auth.login.plan import Plan

#: Seconds for which a login can be finished. TikTok's codes for account holders live as long.
LIFETIME = 600.0


@dataclass(frozen=True)
class Begun:
    """A login that waits for its callback.

    Attributes:
        name: The connection's name.
        url: Address of TikTok's consent page.
        state: What the callback must carry.
        address: Where the browser comes back to.
        scopes: What is asked for; empty if that is left to the app.
    """

    name: str
    url: str = field(repr=False)
    state: str = field(repr=False)
    address: CallbackAddress
    scopes: tuple[str, ...]


def new_verifier() -> str:
    """Return a PKCE verifier: 86 characters, of the 43 to 128 that are allowed."""
    return secrets.token_urlsafe(64)


def challenge_of(verifier: str) -> str:
    """Return the PKCE challenge of a verifier.

    TikTok wants the SHA-256 in hex, unlike the standard's base64. (TikTok docs: Login Kit for
    Desktop.)
    """
    return hashlib.sha256(verifier.encode()).hexdigest()


def begin(manager: TokenManager, plan: Plan, address: CallbackAddress) -> Begun:
    """Begin a login: keep its state and secrets in the store, and return where to send a person.

    Raises:
        ConfigurationError: The plan has no app.
        StoreError: The store cannot keep it.
    """
    if plan.app is None:
        raise ConfigurationError("the app's credentials are missing")
    api = manager.config.token_api(plan.api)
    state = secrets.token_urlsafe(32)
    verifier = new_verifier() if api.pkce and address.is_loopback else None
    url = api.authorize_url(
        plan.app.app_id,
        address.uri,
        state,
        scopes=plan.scopes,
        challenge=challenge_of(verifier) if verifier else None,
    )
    manager.store.begin_login(
        state,
        PendingLogin(
            connection=plan.name,
            api=plan.api,
            app_id=plan.app.app_id,
            app_secret=plan.app.secret,
            redirect_uri=address.uri,
            code_verifier=verifier,
            begun_at=manager.store.now(),
            origin=origin_of(api.data_host),
        ),
    )
    return Begun(plan.name, url, state, address, plan.scopes or api.default_scopes)


def take(manager: TokenManager, callback: Callback) -> Connection:
    """Return the connection that a callback's code starts; its login is over, well or not.

    Raises:
        AuthorizationRequired: No login waits for it, or the person said no.
        TikTokAuthError: TikTok says no; the error names the connection.
    """
    if callback.error and not callback.state:
        raise denial(callback)
    login = manager.store.take_login(callback.state or "", LIFETIME, manager.refuse_elsewhere)
    if login is None and not is_our_state(callback.state):
        raise AuthorizationRequired(
            "no login waits for that address: a link that is not ours led to it, such as the app's "
            "own in TikTok's portal",
            next_step="Run tiktok-auth login NAME and open the address that it shows, or set the "
            "code in it, decoded once, as the setting auth_code.",
        )
    if login is None:
        raise AuthorizationRequired(
            "no login waits for that address here: it was begun more than ten minutes ago, is "
            "finished already, or was begun with another token store",
            next_step="Begin again with: tiktok-auth login NAME",
        )
    configured = manager.config.connection(login.connection)
    try:
        code = callback.code_named(APIS[login.api].code_parameter)
    except TikTokAuthError as error:
        raise error.of(login.connection) from None
    return Connection(
        name=login.connection,
        api=login.api,
        app=App(login.app_id, login.app_secret),
        seed=Seed("auth_code", auth_code=code, code_verifier=login.code_verifier),
        redirect_uri=login.redirect_uri,
        advertiser_ids=configured.advertiser_ids if configured else (),
    )
