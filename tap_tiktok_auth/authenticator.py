"""The library's face: an authenticator for `requests` and for Singer SDK streams.

It needs `requests` only once a request is sent, and it is a subclass of nothing, so that it fits
every version of both.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth import configuration, data_calls, destinations, setting_values
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.forks import Lock, held_off
from tap_tiktok_auth.session import session
from tap_tiktok_auth.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    import requests
    from typing_extensions import Self

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.broker import Broker, Held
    from tap_tiktok_auth.connections import Connection
    from tap_tiktok_auth.errors import TikTokAuthError

log = logging.getLogger(__name__)

#: Seconds for which a token that could not be renewed is used before renewal is tried again.
RENEWAL_PAUSE = 60.0


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
        open_session: Opens the settings' token store and returns a broker over it.
        connection: The connection's name; None for the only one there is.
    """

    def __init__(
        self,
        open_session: Callable[[], AbstractContextManager[Broker]],
        connection: str | None = None,
    ) -> None:
        self._open_session = open_session
        self._name = connection
        self._lock = Lock()
        self._broker: Broker | None = None
        self._connection: Connection | None = None
        self._held: Held | None = None
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
        parsed = configuration.parse(config)
        return cls(lambda: session(parsed), connection)

    @classmethod
    def from_environment(
        cls, connection: str | None = None, environ: Mapping[str, str] | None = None
    ) -> Self:
        """Return an authenticator from `TAP_TIKTOK_AUTH_*` variables; see `from_config`.

        Raises:
            ConfigurationError: A variable is wrong.
        """
        settings = setting_values.from_environment(os.environ if environ is None else environ)
        return cls.from_config(settings, connection)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the token's header on a request, and watch how TikTok answers it.

        Raises:
            ConfigurationError: The request goes to a host that the token does not belong to.
            TikTokAuthError: There is no token that works; the error says what to do.
        """
        held, api = self._current()
        destinations.check(request.url, api.data_host, held.connection.name)
        request.headers.update(api.authorization(held.token.access_token))
        # The Singer SDK calls twice for one request, and again before it repeats one.
        hooks = request.hooks["response"]
        others = [hook for hook in hooks if not isinstance(hook, Watch)]
        hooks[:] = [Watch(self, request, held, api), *others]
        return request

    def access_token(self) -> str:
        """Return a fresh access token, for clients that take the token itself.

        Raises:
            TikTokAuthError: There is no token that works; the error says what to do.
        """
        held, _ = self._current()
        return held.token.access_token

    def close(self) -> None:
        """Close the token store and the connections to TikTok; a later use opens them again."""
        with self._lock.held():
            opened, self._opened_session = self._opened_session, None
            self._broker = self._connection = self._held = None
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

    # What a watch asks for

    def replacement(self, refused: Held, rejection: TikTokAuthError) -> Held:
        """Return another token for one that TikTok refused; the store compares and swaps.

        Raises:
            TikTokAuthError: There is no other; *rejection* if none can be had.
        """
        with self._lock.held():
            broker = self._opened()
            self._held = None
            return self._keep(broker, data_calls.replace_rejected(broker, refused, rejection))

    def given_up(self, refused: Held, rejection: TikTokAuthError) -> TikTokAuthError:
        """Remember that TikTok refused also the new token, and return the error to raise."""
        with self._lock.held():
            self._held = None
            data_calls.note_rejection(self._opened(), refused, rejection)
        return rejection.of(refused.connection.name)

    # Having a token

    def _current(self) -> tuple[Held, TokenApi]:
        broker, held = self._broker, self._held
        works = broker is not None and held is not None and _works(broker, held)
        # Who has a token that works goes on with it while another thread renews it.
        with self._lock.held(wait=not works) as ours:
            if not ours and broker is not None and held is not None:
                return held, broker.api(held.connection)
            broker, held = self._opened(), self._held
            if held is None or not self._is_good(broker, held):
                if self._connection is None:
                    self._connection = self._resolve(broker)
                held = self._keep(broker, broker.obtain(self._connection))
            return held, broker.api(held.connection)

    def _is_good(self, broker: Broker, held: Held) -> bool:
        now = broker.store.now()
        state = held.token.state(now, broker.config.refresh_margin)
        return state == "fresh" or (state == "stale" and now < self._ask_again_at)

    def _keep(self, broker: Broker, held: Held) -> Held:
        if held.warning is not None:
            log.warning("%s", held.warning.of(held.connection.name))
        self._held = held
        self._ask_again_at = broker.store.now() + RENEWAL_PAUSE
        return held

    def _opened(self) -> Broker:
        if self._broker is None:
            opened = ExitStack()
            with held_off():
                _import_all()
                self._broker = opened.enter_context(self._open_session())
            self._opened_session = opened
        return self._broker

    def _resolve(self, broker: Broker) -> Connection:
        if self._name is not None:
            return broker.connection(self._name)
        configured = broker.config.connections
        found = [broker.connection(c.name) for c in configured] or broker.connections()
        if len(found) > 1:
            names = ", ".join(connection.name for connection in found[:10])
            raise ConfigurationError(
                f"there are {len(found)} connections: {names}{', …' if len(found) > 10 else ''}",
                next_step="Name the one to use with the argument connection.",
            )
        return found[0]


def _works(broker: Broker, held: Held) -> bool:
    return held.token.state(broker.store.now(), 0) != "expired"


def _import_all() -> None:
    """Import what a renewal needs; in a child that is forked in the midst, it never would be."""
    import platformdirs  # noqa: F401, PLC0415  (once needed)

    from tap_tiktok_auth import client, single_flight, store  # noqa: F401, PLC0415
    from tap_tiktok_auth.store import recovery  # noqa: F401, PLC0415
