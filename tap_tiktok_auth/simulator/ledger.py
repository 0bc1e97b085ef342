"""The book of all codes and tokens: what was issued, used, rotated and revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.simulator.grants import Code, Grant, Token

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator.mint import Mint


class Ledger:
    """Keeps every code and token by its value.

    Args:
        mint: Makes the values.
        strict_rotation: Whether a refresh kills the refresh token that was used. TikTok docs
            (Login Kit, November 2026): the previous refresh token stops working. For the
            Accounts API no source tells; strict is the harder case.
    """

    def __init__(self, mint: Mint, *, strict_rotation: bool = True) -> None:
        self._mint = mint
        self._strict_rotation = strict_rotation
        self._codes: dict[str, Code] = {}
        self._tokens: dict[str, Token] = {}
        self.grants: list[Grant] = []
        self.spent = 0

    def open(self, grant: Grant) -> Grant:
        """Enter a new consent."""
        self.grants.append(grant)
        return grant

    def issue_code(self, code: Code) -> str:
        """Give *code* a value and enter it."""
        value = self._mint.code()
        self._codes[value] = code
        return value

    def code(self, value: str) -> Code | None:
        """Return the code with that value."""
        return self._codes.get(value)

    def token(self, value: str) -> Token | None:
        """Return the token with that value."""
        return self._tokens.get(value)

    def spend_code(self, code: Code) -> None:
        """Use up *code*: it works once."""
        code.used = True
        self.spent += 1

    def spend_refresh(self, token: Token) -> None:
        """Note that a refresh token was used, and kill it if rotation is strict."""
        token.rotated = self._strict_rotation
        self.spent += 1

    def issue_long_term(self, grant: Grant) -> str:
        """Issue an access token without a timer."""
        return self._enter(self._mint.long_term_token(), Token("access", grant.app_id, grant, None))

    def issue_access(self, grant: Grant, expires_at: float) -> str:
        """Issue an access token that lives until *expires_at*."""
        token = Token("access", grant.app_id, grant, expires_at)
        return self._enter(self._mint.token("act"), token)

    def issue_refresh(self, grant: Grant) -> str:
        """Issue a refresh token that lives until the grant's deadline."""
        token = Token("refresh", grant.app_id, grant, grant.deadline)
        return self._enter(self._mint.token("rft"), token)

    def issue_client(self, app_id: str, expires_at: float) -> str:
        """Issue a token that speaks for the app itself."""
        return self._enter(self._mint.token("clt"), Token("client", app_id, None, expires_at))

    def state(self, value: str, now: float) -> str:
        """Return the state of a code or token, such as ``live`` or ``expired``.

        A used code and a replaced refresh token are ``rotated``; a value that was never issued
        is ``unknown``.
        """
        held = self._tokens.get(value) or self._codes.get(value)
        return "unknown" if held is None else held.state(now)

    def revoke(self, token_or_subject: str) -> int:
        """Withdraw every grant that the token belongs to, or that the person gave.

        Returns:
            How many grants were withdrawn.
        """
        held = self._tokens.get(token_or_subject)
        mine = [
            grant
            for grant in self.grants
            if not grant.revoked
            and (grant.subject == token_or_subject or (held is not None and held.grant is grant))
        ]
        for grant in mine:
            grant.revoked = True
        return len(mine)

    def lose_advertiser(self, advertiser_id: str) -> int:
        """Take an advertiser out of every grant; return how many grants had it."""
        holders = [grant for grant in self.grants if advertiser_id in grant.advertiser_ids]
        for grant in holders:
            grant.advertiser_ids = tuple(a for a in grant.advertiser_ids if a != advertiser_id)
        return len(holders)

    def _enter(self, value: str, token: Token) -> str:
        self._tokens[value] = token
        return value
