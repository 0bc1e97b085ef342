"""The library: an authenticator for `requests` and for Singer SDK streams.

It needs `requests` only once a request is sent, and it is a subclass of nothing, so that it fits
every version of both.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth import network
from tap_tiktok_auth.apis.base import Request, Response
from tap_tiktok_auth.config import parsing, values
from tap_tiktok_auth.credentials import data_calls
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import AccessTokenRejected, ConfigurationError, TikTokAuthError
from tap_tiktok_auth.process import Lock, held_off

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    import requests
    from typing_extensions import Self

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import Credentials

log = logging.getLogger(__name__)

#: Seconds for which a token that could not be renewed is used before renewal is tried again.
RENEWAL_PAUSE = 60.0

#: A refusal is a short envelope: an answer larger than this, in bytes, is not looked into.
REFUSAL_LIMIT = 65_536


class TikTokAuthenticator:
    """Gives requests to TikTok the access token of one connection.

    Hand it to `requests` as `auth`, or to a Singer SDK `RESTStream` as `authenticator`. It may be
    shared by threads. The token store is opened with the first request.

    - The token is renewed before it ends, and kept in memory while it is fresh.
    - It goes into a header (`Access-Token`, for Login Kit `Authorization: Bearer`), never into the
      address, and only to the connection's own host: the setting `business_api_url` or
      `login_kit_api_url`. A request to any other host is refused with `ConfigurationError`. A
      redirect that leaves the host is followed without the token.
    - If TikTok refuses the token, also with HTTP 200, that very token is given up, a new one is
      taken or made, and the request is sent once more. A body that cannot be read a second time is
      not: there the refusal is returned, and the next request has the new token. Of an answer that
      is read as a stream only a short JSON body of known length is looked into.

    Args:
        open_session: Opens the settings' token store and returns a manager over it.
        connection: The connection's name; None for the only one there is.
    """

    def __init__(
        self,
        open_session: Callable[[], AbstractContextManager[TokenManager]],
        connection: str | None = None,
    ) -> None:
        self._open_session = open_session
        self._name = connection
        self._lock = Lock()
        self._manager: TokenManager | None = None
        self._connection: Connection | None = None
        self._credentials: Credentials | None = None
        self._ask_again_at = 0.0
        self._opened_session: ExitStack | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any], connection: str | None = None) -> Self:
        """Return an authenticator from the tap's settings; nothing is opened or sent yet.

        Args:
            config: Settings of tap-tiktok-auth by name, as in its Singer config.
            connection: Which connection, of the config or of the token store; None for the only
                one of the config or, if that has none, of the store.

        Raises:
            ConfigurationError: The config is wrong.
        """
        parsed = parsing.parse(config)
        return cls(lambda: open_manager(parsed), connection)

    @classmethod
    def from_environment(
        cls, connection: str | None = None, environ: Mapping[str, str] | None = None
    ) -> Self:
        """Return an authenticator from `TAP_TIKTOK_AUTH_*` variables; see `from_config`.

        Raises:
            ConfigurationError: A variable is wrong.
        """
        settings = values.from_environment(os.environ if environ is None else environ)
        return cls.from_config(settings, connection)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token's header on a request, and watch how TikTok answers it.

        Raises:
            ConfigurationError: The request goes to a host that the token does not belong to.
            TikTokAuthError: There is no token that works; the error says what to do.
        """
        credentials, api = self._current()
        network.check(request.url, api.data_host, credentials.connection.name)
        request.headers.update(api.authorization(credentials.token.access_token))
        # The Singer SDK calls twice for one request, and again before it repeats one.
        hooks = request.hooks["response"]
        others = [hook for hook in hooks if not isinstance(hook, ResponseHook)]
        hooks[:] = [ResponseHook(self, request.body, credentials, api), *others]
        return request

    def access_token(self) -> str:
        """Return a fresh access token, for clients that take the token itself.

        Raises:
            TikTokAuthError: There is no token that works; the error says what to do.
        """
        credentials, _ = self._current()
        return credentials.token.access_token

    def close(self) -> None:
        """Close the token store and the connections to TikTok; a later use opens them again."""
        with self._lock.held():
            opened, self._opened_session = self._opened_session, None
            self._manager = self._connection = self._credentials = None
            if opened is not None:
                opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(connection={self._name!r})"

    # For the response hook

    def replace(self, refused: Credentials, rejection: TikTokAuthError) -> Credentials:
        """Return another token for one that TikTok refused; the store compares and swaps.

        Raises:
            TikTokAuthError: There is no other; *rejection* if none can be had.
        """
        with self._lock.held():
            manager = self._opened()
            self._credentials = None
            return self._keep(manager, data_calls.replace_rejected(manager, refused, rejection))

    def give_up(self, refused: Credentials, rejection: TikTokAuthError) -> TikTokAuthError:
        """Remember that TikTok refused also the new token, and return the error to raise."""
        with self._lock.held():
            self._credentials = None
            data_calls.note_rejection(self._opened(), refused, rejection)
        return rejection.of(refused.connection.name)

    # Having a token

    def _current(self) -> tuple[Credentials, TokenApi]:
        manager, credentials = self._manager, self._credentials
        works = False
        if manager is not None and credentials is not None:
            works = credentials.token.state(manager.store.now(), 0) != "expired"
        # Who has a token that works goes on with it while another thread renews it.
        with self._lock.held(wait=not works) as ours:
            if ours or manager is None or credentials is None:
                manager, credentials = self._opened(), self._credentials
                if credentials is None or not self._is_good(manager, credentials):
                    if self._connection is None:
                        self._connection = self._resolve(manager)
                    credentials = self._keep(manager, manager.get_token(self._connection))
            return credentials, manager.api(credentials.connection)

    def _is_good(self, manager: TokenManager, credentials: Credentials) -> bool:
        now = manager.store.now()
        state = credentials.token.state(now, manager.config.refresh_margin)
        return state == "fresh" or (state == "stale" and now < self._ask_again_at)

    def _keep(self, manager: TokenManager, credentials: Credentials) -> Credentials:
        if credentials.warning is not None:
            log.warning("%s", credentials.warning.of(credentials.connection.name))
        self._credentials = credentials
        self._ask_again_at = manager.store.now() + RENEWAL_PAUSE
        return credentials

    def _opened(self) -> TokenManager:
        if self._manager is None:
            opened = ExitStack()
            with held_off():
                self._manager = opened.enter_context(self._open_session())
                self._manager.renewals()  # what it loads would never come in a forked child
            self._opened_session = opened
        return self._manager

    def _resolve(self, manager: TokenManager) -> Connection:
        if self._name is not None:
            return manager.connection(self._name)
        configured = manager.config.connections
        found = [manager.connection(c.name) for c in configured] or manager.connections()
        if len(found) > 1:
            names = ", ".join(connection.name for connection in found[:10])
            raise ConfigurationError(
                f"there are {len(found)} connections: {names}{', …' if len(found) > 10 else ''}",
                next_step="Name the one to use with the argument connection.",
            )
        return found[0]


class ResponseHook:
    """Looks at the answers to one request: replays it once, and keeps its token at home.

    Args:
        auth: Where another token comes from.
        body: The request's body.
        credentials: The token in the request's header.
        api: The token system that it belongs to.
    """

    def __init__(
        self,
        auth: TikTokAuthenticator,
        body: Any,  # noqa: ANN401  (whatever the caller sends)
        credentials: Credentials,
        api: TokenApi,
    ) -> None:
        self._auth = auth
        self._credentials = credentials
        self._api = api
        self._replayed = False
        self._start = _position(body)

    def __call__(self, response: requests.Response, **send: Any) -> requests.Response:
        """Look at an answer; `requests` calls this for the request and for each redirect.

        Raises:
            TikTokAuthError: TikTok refuses the token, and there is no other.
        """
        request, home = response.request, self._api.data_host
        header, value = self._header()
        if request.headers.get(header) != value or not network.is_home(request.url, home):
            return response  # a redirect has left the host, or someone else signed the request
        streamed = bool(send.get("stream"))
        rejection = self._rejection(response, streamed=streamed)
        if rejection is not None:
            if self._replayed:
                raise self._auth.give_up(self._credentials, rejection)
            self._credentials = self._auth.replace(self._credentials, rejection)
            replay = self._replay(response, send)
            again = self._rejection(replay, streamed=streamed) if replay is not None else None
            if again is not None:
                raise self._auth.give_up(self._credentials, again)
            response = response if replay is None else replay  # a refused one is false
        if response.is_redirect and not network.stays_home(response.headers["location"], home):
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
        request = Request("read", "GET", "", secrets=(self._credentials.token.access_token,))
        try:
            self._api.read_data(Response(request, response.status_code, body))
        except AccessTokenRejected as rejection:
            return rejection
        except TikTokAuthError:
            return None  # whatever else it says is for the caller
        return None

    def _header(self) -> tuple[str, str]:
        (header,) = self._api.authorization(self._credentials.token.access_token).items()
        return header

    def _rewind(self, body: Any) -> bool:  # noqa: ANN401  (whatever the caller sends)
        if body is None or isinstance(body, str | bytes):
            return True
        if self._start is None:
            return False
        try:
            body.seek(self._start)
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
