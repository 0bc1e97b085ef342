"""Taking in codes and refresh tokens on the API for Business."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.simulator.errors import BusinessRefusal
from tap_tiktok_auth.simulator.grants import PAGE_OF, PORTAL

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator.apps import App
    from tap_tiktok_auth.simulator.grants import Code, Grant
    from tap_tiktok_auth.simulator.state import State


def redeem(state: State, app: App, value: str, page: str, redirect_uri: str | None = None) -> Code:
    """Spend a code.

    Args:
        state: The simulated TikTok.
        app: The app that sends it.
        value: The code as sent.
        page: The consent page whose codes this endpoint takes.
        redirect_uri: The redirect URI as sent, where the endpoint takes one.

    Raises:
        BusinessRefusal: 40110 if the code is unknown, used or expired; 40115 or 40131 if it came
            from the other consent page; 40113 if it was given to another app; 40002 if the
            redirect URI is another one.
    """
    code = state.ledger.code(value)
    if code is None:
        raise BusinessRefusal(40110)
    if code.page != page:
        raise BusinessRefusal(40115 if page == PORTAL else 40131)
    if code.grant.app_id != app.app_id:
        raise BusinessRefusal(40113)
    if code.state(state.clock.now()) != "live":
        raise BusinessRefusal(40110)
    if redirect_uri is not None and redirect_uri != code.redirect_uri:
        raise BusinessRefusal(40002, "redirect_uri: Not the one that was used to request the code.")
    state.ledger.spend_code(code)
    code.grant.deadline = state.clock.now() + state.lifetimes.refresh
    return code


def redeem_refresh(state: State, app: App, value: str, page: str) -> Grant:
    """Spend a refresh token.

    Raises:
        BusinessRefusal: 40107 if it is unknown, no refresh token, or replaced by a newer one;
            40113 if it belongs to another app; 40103 if its year is over; 40105 if the consent
            was withdrawn (an inference: TikTok documents this code for access tokens only).
    """
    token = state.ledger.token(value)
    grant = None if token is None else token.grant
    if token is None or grant is None or token.kind != "refresh" or PAGE_OF[grant.api] != page:
        raise BusinessRefusal(40107)
    if grant.app_id != app.app_id:
        raise BusinessRefusal(40113)
    condition = token.state(state.clock.now())
    if condition == "revoked":
        raise BusinessRefusal(40105)
    if condition == "expired":
        raise BusinessRefusal(40103)
    if condition != "live":
        raise BusinessRefusal(40107)
    state.ledger.spend_refresh(token)
    return grant


def remaining(grant: Grant, now: float) -> int:
    """Return the seconds until no refresh works: they count down from the consent."""
    return round(grant.deadline - now)
