"""What becomes of a request that carries a token: replayed once, its token kept at home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth import network
from tap_tiktok_auth.apis.base import Request, Response
from tap_tiktok_auth.errors import AccessTokenRejected, TikTokAuthError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    import requests

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.credentials.manager import Credentials

    class Tokens(Protocol):
        """Where tokens come from."""

        def replacement(self, refused: Credentials, rejection: TikTokAuthError) -> Credentials:
            """Return another token for one that TikTok refused, or raise why there is none."""

        def given_up(self, refused: Credentials, rejection: TikTokAuthError) -> TikTokAuthError:
            """Remember that TikTok refused a token, and return the error to raise."""


#: A refusal is a short envelope: an answer larger than this, in bytes, is not looked into.
REFUSAL_LIMIT = 65_536


class Watch:
    """The response hook of one request.

    Args:
        tokens: Where another token comes from.
        request: The request, with its header set.
        held: The token in it.
        api: The token system that it belongs to.
    """

    def __init__(
        self, tokens: Tokens, request: requests.PreparedRequest, held: Credentials, api: TokenApi
    ) -> None:
        self._tokens = tokens
        self._held = held
        self._api = api
        self._replayed = False
        self._position = _position(request.body)

    def __call__(self, response: requests.Response, **send: Any) -> requests.Response:  # noqa: ANN401  (as hooks are called)
        """Look at an answer; `requests` calls this for the request and for each redirect.

        Raises:
            TikTokAuthError: TikTok refuses the token, and there is no other.
        """
        request = response.request
        header, value = self._header()
        if request.headers.get(header) != value or not self._is_home(request.url):
            return response  # a redirect has left the host, or someone else signed the request
        streamed = bool(send.get("stream"))
        rejection = self._rejection(response, streamed=streamed)
        if rejection is not None:
            if self._replayed:
                raise self._tokens.given_up(self._held, rejection)
            self._held = self._tokens.replacement(self._held, rejection)
            replay = self._replay(response, send)
            again = self._rejection(replay, streamed=streamed) if replay is not None else None
            if again is not None:
                raise self._tokens.given_up(self._held, again)
            response = response if replay is None else replay  # a refused one is false
        if response.is_redirect and not self._stays_home(response):
            # `requests` makes the next request from this one, and would carry the token along.
            request.headers.pop(header, None)
        return response

    def _replay(
        self, response: requests.Response, send: Mapping[str, Any]
    ) -> requests.Response | None:
        """Send the request again with the new token; return None if that cannot be done."""
        request = response.request
        connection = getattr(response, "connection", None)
        if connection is None or not self._rewind(request.body):
            return None
        self._replayed = True
        response.close()
        # Also on the request itself: a redirect that follows is made from it.
        header, value = self._header()
        request.headers[header] = value
        answer: requests.Response = connection.send(request.copy(), **send)
        answer.history.append(response)
        return answer

    def _rejection(
        self, response: requests.Response, *, streamed: bool
    ) -> AccessTokenRejected | None:
        if response.is_redirect or (streamed and not _is_short_json(response)):
            return None
        body = response.content
        if len(body) > REFUSAL_LIMIT or not body.lstrip().startswith(b"{"):
            return None
        request = Request("read", "GET", "", secrets=(self._held.token.access_token,))
        answer = Response(request, response.status_code, body)
        try:
            self._api.read_data(answer)
        except AccessTokenRejected as rejection:
            return rejection
        except TikTokAuthError:
            return None  # whatever else it says is for the caller
        return None

    def _header(self) -> tuple[str, str]:
        return next(iter(self._api.authorization(self._held.token.access_token).items()))

    def _is_home(self, url: str | None) -> bool:
        return network.is_home(url, self._api.data_host)

    def _stays_home(self, response: requests.Response) -> bool:
        return network.stays_home(response.headers["location"], self._api.data_host)

    def _rewind(self, body: Any) -> bool:  # noqa: ANN401  (whatever the caller sends)
        if body is None or isinstance(body, str | bytes):
            return True
        if self._position is None:
            return False
        try:
            body.seek(self._position)
        except (AttributeError, OSError, ValueError):
            return False
        return True


def _position(body: Any) -> int | None:  # noqa: ANN401  (whatever the caller sends)
    """Return where a body that is a file begins; None if it is none."""
    try:
        position = body.tell()
    except (AttributeError, OSError, ValueError):
        return None
    return position if isinstance(position, int) else None


def _is_short_json(response: requests.Response) -> bool:
    length = response.headers.get("Content-Length", "")
    kind = response.headers.get("Content-Type", "").lower()
    return "json" in kind and length.isdecimal() and int(length) <= REFUSAL_LIMIT
