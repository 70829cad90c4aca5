"""One request to a server, tried as often as is safe, and its answer or one error.

The credential is asked for at every try, because it may expire between two of them. Redirects
are never followed: the library would take `api-key` along to another host. Proxies of the
environment are used for TLS to other machines only, as for the socket. Nothing secret is in a
URL, because the library logs these.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from ssl import SSLContext
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import anyio
import httpx

from realtime_client.endpoints import Endpoint, Headers, is_loopback, shown
from realtime_client.errors import ClientClosed, ConnectFailed, RealtimeError, UsageError
from realtime_client.rest.failures import Answer, Failure, broken, out_of_time, refused
from realtime_client.rest.retry import GONE, REPEATABLE, Fate, Retry

__all__ = ["Line", "Request"]

_HTTP: Final[Mapping[str, str]] = {"ws": "http", "wss": "https", "http": "http", "https": "https"}

_OURS: Final = frozenset({"accept", "content-type"})
"""Headers that belong to the request, whatever the endpoint has for its handshake."""


class Request(NamedTuple):
    """A POST to `path` below the endpoint's address; `what` is its name in `REPEATABLE`.

    `files` are the parts of a form, as httpx has them; else there is `content` of this type.
    """

    what: str
    path: str
    content: bytes = b""
    content_type: str = ""
    files: dict[str, tuple[None, bytes, str]] | None = None
    accept: str = "application/json"


class Line:
    """HTTP to one endpoint, from `open` to `aclose`."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float,
        open_timeout: float,
        retry: Retry,
        ssl: SSLContext | None,
        proxy: Literal[True] | str | None,
    ) -> None:
        self._endpoint = endpoint
        self.base = _base(endpoint.url)
        if self.base.startswith("http:") and (ssl is not None or isinstance(proxy, str)):
            what = "ssl=" if ssl is not None else "proxy="
            raise UsageError(f"{what} is for TLS, and {self.base} is plain")
        self._timeout = httpx.Timeout(timeout, connect=open_timeout, pool=open_timeout)
        self._retry = retry
        self._ssl = ssl
        self._proxy = proxy
        self._http: httpx.AsyncClient | None = None

    def __repr__(self) -> str:
        return f"<Line {self.base}>"

    def open(self) -> None:
        """Be ready; nothing is sent yet.

        Raises:
            UsageError: It was open before.
            ConnectFailed: The proxy cannot be used.
        """
        if self._http is not None:
            raise UsageError("a Rest is entered once; make another one")
        http = self._client()
        if http is None:
            raise ConnectFailed("the proxy cannot be used; see proxy=, or HTTPS_PROXY")
        self._http = http

    async def aclose(self) -> None:
        """Close every connection."""
        if self._http is not None:
            await self._http.aclose()

    async def post(self, request: Request) -> Answer:
        """The answer to a request, which is success.

        Raises:
            RequestRefused: The server said no.
            ConnectFailed: It cannot be reached. Nothing was sent.
            ConnectionLost, AcknowledgementTimeout: There was no answer; `uncertain`.
            ClientClosed: Its owner has left it.
        """
        self._opened()
        by = anyio.current_time() + self._retry.total
        unknown: RealtimeError | None = None
        tried = 0
        while True:
            tried += 1
            outcome = await self._try(request, by)
            if isinstance(outcome, Answer):
                return outcome
            error, fate, wait = outcome
            if unknown is not None and getattr(error, "status", None) in GONE:
                return Answer(200, {}, b"")
            if fate is Fate.UNKNOWN:
                unknown = error
            safe = fate is Fate.UNDONE or (fate is Fate.UNKNOWN and REPEATABLE[request.what])
            left = by - anyio.current_time()
            delay = self._retry.delay(tried, left, random.random(), wait) if safe else None
            if delay is None:
                # What happened to the last try is not all that is known.
                raise unknown if unknown is not None and isinstance(error, ConnectFailed) else error
            await anyio.sleep(delay)

    async def _try(self, request: Request, by: float) -> Answer | Failure:
        """Once. Whatever the library raises has ended before this returns."""
        headers = await self._headers(by)
        if headers is None:
            late = ConnectFailed(f"the credential for {self.base} did not come in time")
            return Failure(late, Fate.UNDONE)
        with anyio.move_on_after(by - anyio.current_time()):
            outcome = await self._exchange(request, headers)
            if isinstance(outcome, Failure) or 200 <= outcome.status < 300:
                return outcome
            return refused(request.what, outcome, headers, time.time())
        return out_of_time(request.what)

    async def _headers(self, by: float) -> Mapping[str, str] | None:
        with anyio.move_on_after(by - anyio.current_time()):
            return await self._endpoint.connect_headers()
        return None

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> Answer | Failure:
        http, sent = self._opened(), _sent(headers, request)
        body: dict[str, Any] = {"content": request.content or None, "files": request.files}
        try:
            response = await http.post(self.base + request.path, headers=sent, **body)
        except (httpx.RequestError, UnicodeError) as error:  # the latter of a host like `a..b`
            return broken(request.what, self.base, error)
        return Answer(response.status_code, response.headers, response.content)

    def _opened(self) -> httpx.AsyncClient:
        if self._http is None:
            raise UsageError("use it as `async with Rest(endpoint) as rest:`")
        if self._http.is_closed:
            raise ClientClosed("this Rest is closed: its block was left")
        return self._http

    def _client(self) -> httpx.AsyncClient | None:
        """The library's client; None where it does not like the proxy."""
        parts = urlsplit(self.base)
        may_be_proxied = parts.scheme == "https" and not is_loopback(parts.hostname or "")
        try:
            return httpx.AsyncClient(
                verify=self._ssl or httpx.create_ssl_context(),
                trust_env=self._proxy is True and may_be_proxied,
                proxy=self._proxy if isinstance(self._proxy, str) else None,
                timeout=self._timeout,
                follow_redirects=False,
            )
        except (ValueError, ImportError, httpx.InvalidURL):
            return None


def _sent(headers: Mapping[str, str], request: Request) -> Headers:
    others = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    kind = {"Content-Type": request.content_type} if request.content_type else {}
    return Headers({**others, **kind, "Accept": request.accept})


def _base(url: str) -> str:
    """Where the requests go: the endpoint's own address, as HTTP and without its query.

    The query belongs to the handshake, and a key may be in it.
    """
    parts = urlsplit(url)
    path = parts.path.rstrip("/").removesuffix("/translations")
    if not path.endswith("/realtime"):
        raise UsageError(f"{shown(url)!r} does not end in /realtime, so where REST is, is unknown")
    base = urlunsplit((_HTTP[parts.scheme], parts.netloc, path, "", ""))
    try:
        httpx.URL(base)
    except httpx.InvalidURL:
        base = ""
    if not base:
        raise UsageError(f"{shown(url)!r} has no host that can be")
    return base
