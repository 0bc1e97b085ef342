"""What TikTok says when it refuses, as data.

``Refusal``
├── ``BusinessRefusal``: the envelope of the API for Business (``code``, ``message``)
├── ``OAuthRefusal``: Login Kit's OAuth endpoints (``error``, ``error_description``)
└── ``ApiV2Refusal``: Login Kit's data endpoints (``error.code``, HTTP status)
"""

from __future__ import annotations

# TikTok docs: Appendix, return codes (1737172488964097); the two texts of 40100 and those of
# 40104 and 40105 are as seen in real answers.
MESSAGES = {
    0: "OK",
    40000: "The parameters provided are invalid.",
    40001: "No permission to perform the related operation.",
    40002: "Missing required field(s): {fields}.",
    40006: "no schema found",
    40008: "The endpoint is not supported in the sandbox environment.",
    40011: "Too many ids in one request.",
    40100: "Due to too many requests, requests from App are temporarily restricted.",
    40101: "Secret and app ID do not match. The authorization code is invalid.",
    40102: "Access token has expired.",
    40103: "Refresh token has expired.",
    40104: "Access token is null, you should set it in http header with key Access-Token.",
    40105: "Access token is incorrect or has been revoked.",
    40107: "Invalid refresh token.",
    40108: "Invalid value for grant_type: {grant_type} is not supported.",
    40110: "The auth_code is canceled. Please re-authorize and try again with a new auth_code.",
    40113: (
        "The app_id is inconsistent with the token's app information. "
        "Please retry after correcting it."
    ),
    40115: "The authentication timestamp has expired.",
    40131: "Authorization code is expired",
    50000: "System error",
}


class Refusal(Exception):
    """An answer that is not a success. Never raised itself.

    Args:
        outcome: The code that the call list shows.
        text: The message for the client.
        status: The HTTP status.
    """

    def __init__(self, outcome: str, text: str, status: int = 200) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.text = text
        self.status = status


class BusinessRefusal(Refusal):
    """A refusal of the API for Business; HTTP 200 unless TikTok is known to say otherwise."""

    def __init__(self, code: int, text: str | None = None, status: int = 200) -> None:
        super().__init__(str(code), MESSAGES[code] if text is None else text, status)
        self.code = code


class OAuthRefusal(Refusal):
    """A refusal of ``/v2/oauth/…``.

    TikTok docs: OAuth error codes of TikTok for Developers. The HTTP status is the service's to
    choose, since TikTok answers 200 to some of them.
    """

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error, description)


class ApiV2Refusal(Refusal):
    """A refusal of ``/v2/user/info/``. TikTok docs: TikTok API v2 error handling."""


def wrong_grant_type(grant_type: str) -> BusinessRefusal:
    """Return TikTok's 40108 for a grant type that the endpoint does not serve."""
    return BusinessRefusal(40108, MESSAGES[40108].format(grant_type=grant_type))


def missing(*names: str) -> BusinessRefusal:
    """Return TikTok's 40002 for fields that are absent."""
    return BusinessRefusal(40002, MESSAGES[40002].format(fields=", ".join(names)))
