"""The end of a login: start the chain, find out who authorised, and tell what was granted."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import Advertiser, Identity
from tap_tiktok_auth.apis.marketing import SCOPE_NAMES
from tap_tiktok_auth.config import settings, values
from tap_tiktok_auth.config.models import Seed
from tap_tiktok_auth.credentials import checks
from tap_tiktok_auth.errors import AuthorizationRequired, ConfigurationError, TikTokAuthError
from tap_tiktok_auth.metadata import tiktok_account
from tap_tiktok_auth.times import as_date, as_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tap_tiktok_auth.apis.base import TokenResponse
    from tap_tiktok_auth.config.models import Connection, SeedKind
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import AdvertiserAccess, StoredConnection, Token

#: The largest text that tokens are read from, in characters.
TOKENS_LIMIT = 65_536
_TOKEN_NAMES = ("access_token", "refresh_token")
_FORMS = (
    "Give JSON with access_token and refresh_token (TikTok's whole answer will do), lines like "
    "access_token=..., or the access token on one line and the refresh token on the next."
)
#: How many ad accounts that were granted, and how many ids of an unexpected account, are named.
_MOST_GRANTED, _MOST_IDS = 5, 3


@dataclass(frozen=True)
class FinishedLogin:
    """A login whose tokens are stored.

    Attributes:
        result: What TikTok says about the new token.
        advertisers: The ad accounts that it may use.
        new_owner: By what one can tell that somebody else than before authorised; None if nothing
            tells it.
    """

    result: CheckResult
    advertisers: tuple[AdvertiserAccess, ...] = ()
    new_owner: str | None = None

    def facts(self) -> list[tuple[str, str]]:
        """Return who authorised and what they granted, as labels and texts of one line or more.

        Texts of TikTok among them were cleaned when they were read.
        """
        stored, account = self.result.stored, self.result.account
        lines: list[tuple[str, str]] = []
        if account is not None and (account.display_name or account.username):
            handle = f"@{account.username}" if account.username else ""
            shown = account.display_name or handle
            lines.append(("Account", f"{shown} ({handle})" if handle not in {"", shown} else shown))
        if self.result.account_ids:
            lines.append(("Brand accounts", ", ".join(self.result.account_ids)))
        elif stored is not None and stored.subject_id:
            lines.append(("Account id", stored.subject_id))
        if stored is None:
            return lines
        if APIS[stored.api].has_advertisers:
            lines.append(("Ad accounts", _advertiser_lines(self.advertisers)))
        if stored.scopes:
            lines.append(("Scopes", _scope_list(stored.scopes)))
        if stored.token is not None:
            lines += _lifetimes(stored.token)
        return lines

    def warnings(self, requested: Sequence[str] = ()) -> list[str]:
        """Return what the person should look at, scopes that were requested in vain among it."""
        name, stored, error = self.result.connection.name, self.result.stored, self.result.error
        found = [str(warning) for warning in self.result.warnings]
        if error is not None:
            found.append(f"the tokens are stored, but TikTok does not confirm them: {error}")
        if self.new_owner:
            found.append(
                f"connection {name} now belongs to someone else than before: {self.new_owner}. If "
                f"that is a mistake, run again: tiktok-auth login {name}"
            )
        granted = stored.scopes if stored is not None else None
        missing = [scope for scope in requested if granted is not None and scope not in granted]
        if missing:
            found.append(f"not granted, though asked for: {', '.join(missing)}")
        return found


def finish_login(
    manager: TokenManager,
    connection: Connection,
    *,
    expect: str | None = None,
    confirm: Callable[[str], bool] | None = None,
) -> FinishedLogin:
    """Start a new chain from the connection's seed and ask TikTok who it speaks for.

    A failure leaves an existing connection as it was. Once the token is stored nothing fails any
    more: what TikTok does not tell is left out.

    Args:
        manager: The manager.
        connection: The connection, with the seed.
        expect: The account or ad account that must have authorised.
        confirm: Asks the person, before anything is stored, whether somebody else than before may
            have the connection; None if nobody can be asked.

    Raises:
        TikTokAuthError: TikTok refuses the seed, someone else authorised, or the store fails.
    """
    name = connection.name
    before, advertisers_before = manager.store.read(name), _granted(manager, name)
    told: dict[str, Identity] = {}

    def approve(response: TokenResponse) -> None:
        """Raise an error unless the connection may be that of whoever authorised."""
        seed = connection.seed
        # A refresh token that was used up to find that out would be lost.
        used_up = (
            seed is not None and seed.refresh_token and response.access_token != seed.access_token
        )
        if expect is None and (before is None or used_up):
            return
        identity, unknown = _who(manager, connection, response, told)
        if expect is not None:
            if expect not in _ids(identity):
                raise _not_kept(
                    f"{_named(identity)} authorised, and not the one that --expect names"
                )
            return
        other = new_owner(before, advertisers_before, connection, identity, unknown)
        would, did = ("may", "may have ") if unknown else ("would", "")
        if other and not (
            confirm and confirm(f"{name} {would} belong to someone else: {other}. Go on?")
        ):
            raise _not_kept(f"someone else {did}authorised than before: {other}")

    configured = manager.config.connection(name)
    manager.log_in(connection, remember=configured, approve=approve, confirmed=told.__setitem__)
    result = checks.check(manager, manager.connection(name), told=told)
    advertisers = _granted(manager, name)
    identity = Identity(
        result.stored.subject_id if result.stored else None,
        advertisers=tuple(Advertiser(seen.advertiser_id) for seen in advertisers),
        account_ids=result.account_ids,
    )
    other = new_owner(before, advertisers_before, connection, identity)
    return FinishedLogin(_with_account(manager, result), advertisers, other)


def _not_kept(cause: str) -> AuthorizationRequired:
    return AuthorizationRequired(
        f"{cause}; the connection is as it was, and the new token was kept nowhere",
        next_step="Log in as the right account, give that one a NAME of its own, or allow it with "
        "--expect and its id.",
    )


def new_owner(
    before: StoredConnection | None,
    advertisers: Collection[AdvertiserAccess],
    connection: Connection,
    identity: Identity,
    unknown: TikTokAuthError | None = None,
) -> str | None:
    """Return by what one can tell that another person or company than before has authorised.

    Ids of accounts are compared within one app alone: TikTok gives each app its own.

    Args:
        before: The connection as it was stored.
        advertisers: The ad accounts that it had.
        connection: The connection that was authorised.
        identity: Who authorised it.
        unknown: Why TikTok did not tell who, if it was asked.

    Returns:
        The difference, or None if there is none or nothing to compare.
    """
    if before is None or before.api != connection.api:
        return None
    is_same_app = connection.app is not None and connection.app.app_id == before.app_id
    new = _subjects(identity) if is_same_app else set()
    if before.subject_id and new and before.subject_id not in new:
        return f"account {before.subject_id} then, {', '.join(sorted(new))} now"
    had, has = {seen.advertiser_id for seen in advertisers}, _advertiser_ids(identity)
    if had and has and not had & has:
        return "none of the ad accounts is among those it had"
    if unknown is not None and (before.subject_id or had):
        return f"TikTok does not tell who it is ({unknown.cause})"
    return None


def _who(
    manager: TokenManager,
    connection: Connection,
    response: TokenResponse,
    told: dict[str, Identity],
) -> tuple[Identity, TikTokAuthError | None]:
    """Return who authorised, and why TikTok did not tell; what it is asked is put into *told*."""
    listed = tuple(map(Advertiser, response.advertiser_ids))
    known = Identity(response.subject_id, advertisers=listed)
    if response.subject_id is not None:
        return known, None
    api, token = manager.api(connection), response.access_token
    try:
        if token not in told:
            told[token] = manager.client.fetch(api.verify(connection, token), api.read_identity)
    except TikTokAuthError as error:
        return known, error
    identity = told[token]
    return identity._replace(advertisers=(*listed, *(identity.advertisers or ()))), None


def _subjects(identity: Identity) -> set[str]:
    return {*filter(None, (identity.subject_id, *identity.account_ids))}


def _advertiser_ids(identity: Identity) -> set[str]:
    return {advertiser.advertiser_id for advertiser in identity.advertisers or ()}


def _ids(identity: Identity) -> set[str]:
    return _subjects(identity) | _advertiser_ids(identity)


def _named(identity: Identity) -> str:
    ids = sorted(_ids(identity))
    more = len(ids) - _MOST_IDS
    named = ", ".join(ids[:_MOST_IDS]) + (f" and {more} more" if more > 0 else "")
    return f"account {named}" if ids else "an account that TikTok does not name"


def _granted(manager: TokenManager, name: str) -> tuple[AdvertiserAccess, ...]:
    return tuple(seen for seen in manager.store.advertisers(name) if seen.lost_at is None)


def _with_account(manager: TokenManager, result: CheckResult) -> CheckResult:
    try:
        return replace(result, account=tiktok_account(manager, result))
    except TikTokAuthError:
        return replace(result, account=None)


def _advertiser_lines(granted: Sequence[AdvertiserAccess]) -> str:
    named = [f"{a.name} ({a.advertiser_id})" if a.name else a.advertiser_id for a in granted]
    more = len(named) - _MOST_GRANTED
    rest = [f"and {more} more"] if more > 0 else []
    return "\n".join([*named[:_MOST_GRANTED], *rest]) or "none"


def _scope_list(scopes: Sequence[str]) -> str:
    """Return scopes by their names, sorted, numbers as numbers."""
    ordered = sorted(scopes, key=lambda scope: (int(scope) if scope.isdecimal() else -1, scope))
    names = (f"{SCOPE_NAMES[s]} ({s})" if s in SCOPE_NAMES else s for s in ordered)
    return ", ".join(names)


def _lifetimes(token: Token) -> list[tuple[str, str]]:
    if token.expires_at is None:
        ends = "until someone revokes it" if token.long_term else "until an end that is not told"
    else:
        ends = f"until {as_time(token.expires_at)}"
        ends += ", then refreshed" if token.refreshable else ", cannot be refreshed"
    lines = [("Token works", ends)]
    if token.consent_deadline is not None:
        lines.append(("Consent ends", as_date(token.consent_deadline)))
    return lines


# Tokens that a person holds already


def read_tokens(text: str) -> dict[str, str]:
    """Return the tokens in a text, by `access_token` and `refresh_token`; one of them at least.

    Args:
        text: A JSON object, TikTok's answer with its envelope included; or lines `name=token`; or
            the access token alone, the refresh token on the line after it.

    Raises:
        ConfigurationError: It holds no token, or something else. The message has none of it.
    """
    if len(text) > TOKENS_LIMIT:
        raise ConfigurationError("the input is too large for tokens", next_step=_FORMS)
    text = text.strip()
    return check_tokens(_from_json(text) if text.startswith("{") else _from_lines(text))


def check_tokens(found: dict[str, Any]) -> dict[str, str]:
    """Return the tokens that are there, once each is known to be fit for one.

    Raises:
        ConfigurationError: There is none, or a character in one is wrong.
    """
    tokens = {name: found[name] for name in _TOKEN_NAMES if found.get(name) not in (None, "")}
    if not tokens:
        raise ConfigurationError("the input has no token", next_step=_FORMS)
    values.validate(tokens, settings.PER_CONNECTION)
    if any(" " in token for token in tokens.values()):
        raise ConfigurationError("a token has a space in it", next_step=_FORMS)
    return tokens


def _from_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigurationError("the input is not whole JSON", next_step=_FORMS) from None
    data = value.get("data")
    return data if isinstance(data, dict) else dict(value)


def _from_lines(text: str) -> dict[str, str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = {}
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() in _TOKEN_NAMES:
            named[name.strip()] = value.strip().strip("'\"")
    if not named and len(lines) <= len(_TOKEN_NAMES):
        return dict(zip(_TOKEN_NAMES, lines, strict=False))
    if len(named) != len(lines):
        raise ConfigurationError("the input has other lines than tokens", next_step=_FORMS)
    return named


def seed_of(api: str, tokens: dict[str, str]) -> Seed:
    """Return the seed that tokens make.

    Raises:
        ConfigurationError: The token system has no refresh tokens.
    """
    access, refresh = tokens.get("access_token"), tokens.get("refresh_token")
    kind: SeedKind = "access_token"
    if refresh is not None:
        kind = "access_and_refresh_token" if access else "refresh_token"
        if not APIS[api].refresh_tokens:
            raise ConfigurationError(
                f"tokens of api {api} are not refreshed", next_step="Leave the refresh token out."
            )
    return Seed(kind, access_token=access, refresh_token=refresh)
