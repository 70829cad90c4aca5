"""Text frames over a socket: everything this package knows about WebSockets.

A transport carries whole text frames. The real one is the `websockets` library, for asyncio
and for trio, whichever loop is running; tests bring one that lives in memory. Compression is
off: base64 audio does not shrink enough to pay for it. Redirects of the handshake are not
followed, because the library strips only `authorization` and cookies on the way to another
host, not `api-key`.

The proxies of the environment are for TLS to other machines. A proxy that was named is used
for TLS to any, and plain text goes through none: it would be read there.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from ssl import SSLContext
from types import TracebackType
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidProxy, WebSocketException
from websockets.proxy import parse_proxy

from realtime_client.addresses import is_loopback, shown
from realtime_client.errors import UsageError
from realtime_client.given import check_seconds
from realtime_client.handshake import Attempt, HideSecrets

__all__ = ["Connect", "Keepalive", "Transport", "TransportClosed", "connect_websocket"]

MAX_FRAME: Final = 32 * 1024 * 1024
"""Bytes. "At most 15 MiB an append" is 20 MiB of base64; a retrieved item comes back so."""


class TransportClosed(Exception):
    """The connection ended. `code` is the close frame's, None where none came."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code}: {reason}" if reason else str(code))


class Transport(Protocol):
    """One open connection. One task sends, another receives."""

    async def send(self, data: bytes) -> None:
        """Write one text frame; returns when the socket has taken it.

        Raises:
            TransportClosed: The connection is over.
        """

    async def receive(self) -> bytes:
        """The next text frame.

        Raises:
            TransportClosed: The connection is over.
        """

    async def aclose(self) -> None:
        """Close with code 1000. Safe to call twice."""


class Connect(Protocol):
    """How to open a transport; what `Client(connect=...)` takes."""

    def __call__(
        self, url: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Transport]:
        """Open on entering, close on leaving; raises `ConnectFailed` on entering."""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Pings in seconds: one every `interval`, and the connection is lost after `timeout`.

    None of an interval is never, and of a timeout for ever.

    Raises:
        UsageError: One is no number above 0.
    """

    interval: float | None = 20.0
    timeout: float | None = 20.0

    def __post_init__(self) -> None:
        for name, value in (("interval", self.interval), ("timeout", self.timeout)):
            if value is not None:
                check_seconds(name, value, zero=False)


_log = logging.getLogger("realtime_client.transport")
_log.addFilter(HideSecrets())


class _WebSocket:
    """A `websockets` connection of either loop; they differ in the name for closing."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._close = connection.aclose if hasattr(connection, "aclose") else connection.close

    async def send(self, data: bytes) -> None:
        try:
            await self._connection.send(data, text=True)
        except ConnectionClosed as closed:
            raise _closed(closed) from None

    async def receive(self) -> bytes:
        try:
            frame: bytes = await self._connection.recv(decode=False)
        except ConnectionClosed as closed:
            raise _closed(closed) from None
        return frame

    async def aclose(self) -> None:
        await self._close()


class _Proxy(str):
    """The URL of a proxy. Whoever parses it finds the password, whoever prints it does not."""

    __slots__ = ()

    def __repr__(self) -> str:
        return shown(self)


def connect_websocket(
    *,
    open_timeout: float = 10.0,
    close_timeout: float = 2.0,
    keepalive: Keepalive | None = None,
    ssl: SSLContext | None = None,
    proxy: str | Literal[True] | None = True,
) -> Connect:
    """A `Connect` over real sockets, for the loop that runs when it is entered.

    `ssl` is a context for `wss://`, in place of one that trusts the authorities of this
    machine. `proxy` is the URL of a proxy (`http`, `https`, `socks5h` and the like), with
    user and password where it wants them; True takes those of the environment, None takes
    none.

    Raises:
        UsageError: `ssl` is no context, `proxy` no URL of a proxy; on entering, one of them
            is given for plain `ws://`.

    Raises (on entering):
        HandshakeRefused: The server answered with an HTTP status.
        CertificateRefused: The server could not show who it is.
        ConnectFailed: No connection: the address, the network, TLS, or a time-out.
    """
    if ssl is not None and not isinstance(ssl, SSLContext):
        raise UsageError("ssl= takes an ssl.SSLContext; without one, certificates are verified")
    named, environment = _named(proxy), proxy is True
    keep = keepalive or Keepalive()
    options: dict[str, Any] = {
        "compression": None,
        "max_size": MAX_FRAME,
        "open_timeout": open_timeout,
        "close_timeout": close_timeout,
        "ping_interval": keep.interval,
        "ping_timeout": keep.timeout,
        "logger": _log,
    }

    def connect(url: str, headers: Mapping[str, str]) -> _Opening:
        if urlsplit(url).scheme != "wss" and (ssl is not None or named is not None):
            what = "ssl=" if ssl is not None else "proxy="
            raise UsageError(f"{what} is for wss://, and {shown(url)} is plain")
        way = True if environment and _may_be_proxied(url) else named
        secured = {} if ssl is None else {"ssl": ssl}
        return _Opening(Attempt(url, headers, named), {**options, **secured, "proxy": way})

    return connect


class _Opening:
    """The library's own context manager, with this package's errors."""

    def __init__(self, attempt: Attempt, options: dict[str, Any]) -> None:
        self._attempt = attempt
        self._options = options

    async def __aenter__(self) -> Transport:
        attempt = self._attempt
        try:
            self._opening = _library()(
                attempt.url, additional_headers=attempt.headers, **self._options
            )
            return _WebSocket(await self._opening.__aenter__())
        except _failures() as error:
            failed = attempt.failed(error)
        # Raised out here, so that the library's error, in the locals of whose traceback the
        # headers lie open, is not its context.
        raise failed

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._opening.__aexit__(None, None, None)


def _named(proxy: str | Literal[True] | None) -> _Proxy | None:
    """The proxy that was named, where one was."""
    if proxy is True or proxy is None:
        return None
    try:
        parse_proxy(proxy)
    except (InvalidProxy, ValueError, AttributeError):  # whose words show the URL
        fits = False
    else:
        fits = True
    if not fits:
        raise UsageError("proxy= is not the URL of a proxy; it looks like http://host:3128")
    return _Proxy(proxy)


def _may_be_proxied(url: str) -> bool:
    """Proxies of the environment are for TLS, and this machine is not on the other side."""
    parts = urlsplit(url)
    return parts.scheme == "wss" and not is_loopback(parts.hostname or "")


def _library() -> Any:
    """The library's `connect` for the running loop, without redirects."""
    base: Any
    if _trio() is not None:
        from websockets.trio.client import connect as base
    else:
        from websockets.asyncio.client import connect as base

    class ConnectOnce(base):  # type: ignore[misc]  # chosen at run time, by the loop
        def process_redirect(self, exc: Exception) -> Exception:
            return exc

    return ConnectOnce


def _failures() -> tuple[type[Exception], ...]:
    """What opening a connection may raise. Trio has an error of its own for broken TLS."""
    known = (OSError, WebSocketException, ImportError, ValueError)
    trio = _trio()
    return known if trio is None else (*known, trio.BrokenResourceError)


def _trio() -> Any:
    """The module, where trio is what runs."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None


def _closed(closed: ConnectionClosed) -> TransportClosed:
    if closed.rcvd is None:
        # What we sent before giving up says why: "keepalive ping timeout", for example.
        return TransportClosed(None, closed.sent.reason if closed.sent else "")
    return TransportClosed(closed.rcvd.code, closed.rcvd.reason)
