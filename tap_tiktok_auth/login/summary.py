"""What a login tells the person: who authorised, what they granted, until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.marketing import SCOPE_NAMES
from tap_tiktok_auth.login.connected import Party
from tap_tiktok_auth.times import as_date, as_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_tiktok_auth.credentials.models import AdvertiserAccess
    from tap_tiktok_auth.credentials.tokens import Token
    from tap_tiktok_auth.login.connected import Connected

#: How many ad accounts are named before the rest is only counted.
_MOST_NAMED = 5


def facts(done: Connected) -> list[tuple[str, str]]:
    """Return who authorised and what they granted, as labels and texts of one line or more.

    Texts of TikTok among them were cleaned when they were read.
    """
    record, account = done.after.record, done.account
    lines: list[tuple[str, str]] = []
    if account is not None and (account.display_name or account.username):
        handle = f"@{account.username}" if account.username else ""
        shown = account.display_name or handle
        lines.append(("Account", f"{shown} ({handle})" if handle not in {"", shown} else shown))
    if done.report.account_ids:
        lines.append(("Brand accounts", ", ".join(done.report.account_ids)))
    elif record is not None and record.subject_id:
        lines.append(("Account id", record.subject_id))
    if record is not None and APIS[record.api].has_advertisers:
        lines.append(("Ad accounts", _advertisers(done.after.advertisers)))
    if record is not None and record.scopes:
        lines.append(("Scopes", ", ".join(_scope(scope) for scope in _in_order(record.scopes))))
    if record is not None and record.token is not None:
        lines += _times(record.token)
    return lines


def warnings(done: Connected, asked: Sequence[str] = ()) -> list[str]:
    """Return what the person should look at.

    Args:
        done: The login.
        asked: The scopes that were asked for by name.
    """
    found = [str(warning) for warning in done.report.warnings]
    error = done.report.error
    if error is not None:
        found.append(f"the tokens are stored, but TikTok does not confirm them: {error}")
    other = is_someone_else(done)
    if other:
        found.append(
            f"connection {done.name} now belongs to someone else than before: {other}. If that is "
            f"a mistake, run again: tiktok-auth login {done.name}"
        )
    record = done.after.record
    granted = record.scopes if record is not None else None
    missing = [scope for scope in asked if granted is not None and scope not in granted]
    if missing:
        found.append(f"not granted, though asked for: {', '.join(missing)}")
    return found


def is_someone_else(done: Connected) -> str | None:
    """Say by what one can tell that someone else authorised than before; None if nothing tells."""
    new = done.after.record
    if new is None:
        return None
    subjects = frozenset(filter(None, (new.subject_id, *done.report.account_ids)))
    advertisers = frozenset(seen.advertiser_id for seen in done.after.advertisers)
    return done.before.differs_from(Party(new.api, new.app_id, subjects, advertisers))


def _advertisers(granted: Sequence[AdvertiserAccess]) -> str:
    named = [f"{a.name} ({a.advertiser_id})" if a.name else a.advertiser_id for a in granted]
    more = len(named) - _MOST_NAMED
    rest = [f"and {more} more"] if more > 0 else []
    return "\n".join([*named[:_MOST_NAMED], *rest]) or "none"


def _in_order(scopes: Sequence[str]) -> list[str]:
    """Return scopes sorted, numbers as numbers."""
    return sorted(scopes, key=lambda scope: (int(scope) if scope.isdecimal() else -1, scope))


def _scope(scope: str) -> str:
    return f"{SCOPE_NAMES[scope]} ({scope})" if scope in SCOPE_NAMES else scope


def _times(token: Token) -> list[tuple[str, str]]:
    if token.expires_at is None:
        ends = "until someone revokes it" if token.long_term else "until an end that is not told"
    else:
        ends = f"until {as_time(token.expires_at)}"
        ends += ", then refreshed" if token.refreshable else ", cannot be refreshed"
    lines = [("Token works", ends)]
    if token.consent_deadline is not None:
        lines.append(("Consent ends", as_date(token.consent_deadline)))
    return lines
