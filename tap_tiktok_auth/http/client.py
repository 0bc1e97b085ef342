"""The only place that opens a socket to TikTok: when a request is sent, how often, what comes back.

Redirects are off, because `requests` would carry the header `Access-Token` to another host.
Errors are told in own words, because those of `requests` contain addresses with their queries.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import backoff
import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import LocationValueError, NameResolutionError, ReadTimeoutError

from tap_tiktok_auth.apis.base import Response
from tap_tiktok_auth.errors import (
    ConfigurationError,
    GrantRejected,
    Interrupted,
    NoAnswer,
    RateLimited,
    TryAgainLater,
    Unreachable,
)
from tap_tiktok_auth.http.transport import Adapter, Deadlines, Exchange
from tap_tiktok_auth.network import is_loopback
from tap_tiktok_auth.process import Forkable, Stop
from tap_tiktok_auth.redaction import teach
from tap_tiktok_auth.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Request

T = TypeVar("T")

log = logging.getLogger(__name__)

#: The largest answer that is read, in bytes.
BODY_LIMIT = 10_000_000

#: Seconds after which TikTok lifts a limit of requests per minute. (TikTok docs, rate limits.)
QPM_PAUSE = 300.0

#: The share of the limit that is used: requests sent evenly arrive less evenly, and TikTok counts
#: arrivals.
USED_SHARE = 0.97

_RETRIES = 4
_WITHHELD = "withheld"

_HEADERS = {
    "Accept": "application/json",
    # An answer is read up to a size, so it shall not unpack to another one.
    "Accept-Encoding": "identity",
    "User-Agent": f"tap-tiktok-auth/{VERSION}",
}

#: The variables by which `requests` takes other certificates than its own.
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Pacer:
    """Gives each app's requests their time, evenly spaced.

    Even spacing rather than bursts: a bucket that lets a full second's worth through at once can
    put twice the limit into one second of TikTok's clock.

    Args:
        per_second: TikTok's limit of requests per second for one app.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / (per_second * USED_SHARE)
        self._lock = threading.Lock()
        self._next_at: dict[str, float] = {}

    def reserve(self, app_id: str) -> float:
        """Reserve the next free moment for a request of an app, and return the seconds to it."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next_at.get(app_id, now))
            self._next_at[app_id] = at + self._interval
            return at - now


class Client(Forkable):
    """Sends requests at the right pace, and sends them again where that is safe.

    Args:
        timeout: Seconds that one request may take.
        requests_per_second: Limit for each app.
        clock: Returns seconds since the epoch; times the tokens.
        stop: Set when the process was told to stop: no wait goes on then, nothing new is sent.
        connections: How many connections are kept open.
    """

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        requests_per_second: float = 10.0,
        clock: Callable[[], float] = time.time,
        stop: Stop | None = None,
        connections: int = 8,
    ) -> None:
        self.timeout = timeout
        self._clock = clock
        self._stop = stop or Stop()
        self._requests_per_second = requests_per_second
        self._connections = connections
        self._begin()
        self._certificates = next(
            (os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), True
        )
        self._proxies: dict[str, dict[str, str]] = {}
        self.follow_forks()

    def fetch(
        self,
        request: Request,
        read: Callable[[Response], T],
        *,
        before_send: Callable[[], None] | None = None,
    ) -> T:
        """Send a request, read its answer, and try again where that is safe.

        A request that carries a single-use credential is sent again only if no byte of it left
        this machine, or if TikTok itself answered that it was not carried out.

        Args:
            request: The request.
            read: Reads the answer; raises what TikTok's refusal means.
            before_send: Called before each sending; an exception from it stops the request.

        Raises:
            TikTokAuthError: What `read` raised last, or why there is no answer.
        """
        growing = backoff.expo()
        next(growing)  # the generator's start signal
        waits = map(backoff.full_jitter, itertools.islice(growing, _RETRIES))
        pauses = iter([QPM_PAUSE])
        failure: TryAgainLater | None = None
        while True:
            response = None
            self._wait(self._pacer.reserve(request.app_id))
            if before_send is not None:
                before_send()
            try:
                response = self.send(request)
                return read(response)
            except TryAgainLater as error:
                spent = request.spends and isinstance(error, NoAnswer)
                wait = None if spent else next(waits, None)
                if wait is None and isinstance(error, RateLimited):
                    wait = next(pauses, None)
                if wait is None:
                    raise
                if response is not None and response.retry_after is not None:
                    wait = max(wait, min(response.retry_after, QPM_PAUSE))
                if response is not None and not isinstance(error, RateLimited):
                    failure = error
                log.warning("%s. Trying again in %.1f s.", error.cause, wait)
                self._wait(wait)
            except GrantRejected as refusal:
                if failure is None or not request.spends:
                    raise
                raise _after_failure(refusal, failure) from None

    def send(self, request: Request) -> Response:
        """Send a request once and return the answer as it is.

        Raises:
            Unreachable: No byte of the request left this machine.
            NoAnswer: It left, and no complete answer came back.
            ConfigurationError: It cannot be sent as it is.
        """
        adapter = self._spending if request.spends else self._reading
        exchange = Exchange(reuses=not request.spends)
        teach(*request.secrets)
        sent_at = self._clock()
        with self._deadlines.kept(exchange, self.timeout):
            try:
                with adapter.send(
                    _prepared(request, exchange),
                    stream=True,
                    timeout=self.timeout,
                    verify=self._certificates,
                    proxies=self._proxies_to(request.url),
                ) as answer:
                    body = _read_body(answer, exchange)
            except (OSError, ValueError) as error:  # those of `requests` are among them
                raise _failure(request, exchange, error) from None
        log.debug("%s %s: HTTP %s", request.method, request.url, answer.status_code)
        retry_after = answer.headers.get("Retry-After", "")
        return Response(
            request,
            answer.status_code,
            body,
            sent_at,
            float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None,
            answer.headers.get("Date", ""),
        )

    def close(self) -> None:
        """Close all connections."""
        self._reading.close()
        self._spending.close()

    def after_fork_in_child(self) -> None:
        """Begin anew: a child has no other thread, and must not read the answers to its parent."""
        self._begin()

    def _begin(self) -> None:
        self._pacer = Pacer(self._requests_per_second)
        self._deadlines = Deadlines()
        self._reading = Adapter(self._connections)
        # A connection that the other side closed while it was idle fails only after the request
        # was written to it, and nobody knows then whether it was taken. A new one has no past.
        self._spending = Adapter(self._connections)

    def _proxies_to(self, url: str) -> dict[str, str]:
        """Return the environment's proxies for a host, looked up once.

        None for this machine: what is sent to it without TLS must not leave it.
        """
        parts = urlsplit(url)
        if parts.netloc not in self._proxies:
            here = is_loopback(parts.hostname or "")
            self._proxies[parts.netloc] = {} if here else dict(get_environ_proxies(url))
        return self._proxies[parts.netloc]

    def _wait(self, seconds: float) -> None:
        if self._stop.is_set() or (seconds > 0 and self._stop.wait(seconds)):
            raise Interrupted("told to stop")


def _after_failure(refusal: GrantRejected, failure: TryAgainLater) -> GrantRejected:
    """Word a refusal that follows a failure of TikTok's, which may have been one halfway."""
    told = f" with {failure.code}" if failure.code else ""
    return GrantRejected(
        f"{refusal.cause}; TikTok had failed{told} just before, and may have used it up then",
        next_step=refusal.next_step,
        code=refusal.code,
        request_id=refusal.request_id,
    )


def _failure(
    request: Request, exchange: Exchange, error: OSError | ValueError
) -> NoAnswer | Unreachable | ConfigurationError:
    """Return what it means that a request ended with an error of the libraries below."""
    host = urlsplit(request.url).netloc.rpartition("@")[2]
    if exchange.left:
        late = exchange.late or isinstance(error, requests.Timeout)
        # `requests` tells a time-out in the midst of the body in another way.
        late = late or any(isinstance(reason, ReadTimeoutError) for reason in error.args)
        problem = "did not answer in time" if late else "broke off"
        return NoAnswer(f"{host} {problem}", next_step="Run again later.")
    if isinstance(error, requests.exceptions.InvalidHeader) or not isinstance(
        error, OSError | LocationValueError
    ):
        return ConfigurationError(
            "a credential contains a character that cannot be sent",
            next_step="Check the settings of {connection}.",
        )
    if isinstance(
        getattr(error.args[0] if error.args else None, "reason", None), NameResolutionError
    ):
        problem = "the host's name is not known"
    elif isinstance(error, requests.exceptions.SSLError):
        problem = "no trusted TLS connection"
    elif isinstance(error, requests.exceptions.ProxyError):
        problem = "the proxy does not let it through"
    elif isinstance(error, requests.Timeout):
        problem = "no connection in time"
    elif not isinstance(error, requests.RequestException):
        problem = "the certificates that REQUESTS_CA_BUNDLE names cannot be read"
    else:
        problem = "no connection"
    return Unreachable(
        f"{host} cannot be reached: {problem}",
        next_step="Check the network and the settings business_api_url and login_kit_api_url.",
    )


def _prepared(request: Request, exchange: Exchange) -> requests.PreparedRequest:
    """Return a request for the transport, its query without secrets until it leaves.

    TikTok wants the app secret in the query of `advertiser/get`. Addresses stand in logs, in errors
    and in what monitoring tools read along, so the libraries in between get one without it. There
    is no session in between: it would follow redirects, keep cookies and read ~/.netrc.
    """
    prepared = _addressed(request.method, request.url).copy()
    if request.params:
        params = dict(request.params)
        for name, value in request.params.items():
            if value in request.secrets:
                params[name] = _WITHHELD
                exchange.fill_in({name: _WITHHELD}, {name: value})
        prepared.prepare_url(request.url, params)
    closing = {"Connection": "close"} if request.spends else {}
    prepared.prepare_headers({**_HEADERS, **closing, **request.headers})
    prepared.prepare_body(request.form, None, request.json)
    return prepared


@functools.lru_cache(maxsize=64)
def _addressed(method: str, url: str) -> requests.PreparedRequest:
    prepared = requests.PreparedRequest()
    prepared.prepare_method(method)
    prepared.prepare_url(url, None)
    prepared.prepare_headers(None)
    return prepared


def _read_body(answer: requests.Response, exchange: Exchange) -> bytes:
    body = bytearray()
    for chunk in answer.iter_content(65_536):
        body += chunk
        if len(body) > BODY_LIMIT:
            raise NoAnswer(
                f"TikTok's answer is larger than {BODY_LIMIT // 1_000_000} MB",
                next_step="Run again; if it stays so, tell the maintainers.",
            )
    # A process that was stopped finds its time over and the whole answer waiting in the socket.
    says_its_length = answer.raw.chunked or answer.raw.length_remaining == 0
    if exchange.late and not says_its_length:
        raise requests.Timeout  # what there is of it may look whole
    return bytes(body)
