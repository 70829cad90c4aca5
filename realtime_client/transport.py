"""Text frames over a socket: everything this package knows about WebSockets.

A transport carries whole text frames. The real one is the `websockets` library, for asyncio
and for trio, whichever loop is running; tests bring one that lives in memory. Compression is
off: base64 audio does not shrink enough to pay for it. Redirects of the handshake are not
followed, because the library strips only `authorization` and cookies on the way to another
host, not `api-key`. Its debug log shows the handshake, so a filter hides what may be secret.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidHeader,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    WebSocketException,
)

from realtime_client.endpoints import is_loopback
from realtime_client.errors import ConnectFailed, HandshakeRefused

__all__ = ["Connect", "Keepalive", "Transport", "TransportClosed", "connect_websocket"]

MAX_FRAME: Final = 32 * 1024 * 1024
"""Bytes. "At most 15 MiB an append" is 20 MiB of base64; a retrieved item comes back so."""

_HARMLESS: Final = frozenset({"host", "upgrade", "connection", "user-agent"})
"""Request headers whose values may be logged, beside `Sec-WebSocket-*`. Any other may hold
a credential: who knows what a gateway calls its own."""


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
    """Pings in seconds: one every `interval`, and the connection is lost after `timeout`."""

    interval: float | None = 20.0
    timeout: float | None = 20.0


class _HideSecrets(logging.Filter):
    """The library logs the handshake; its secrets are cut out of the records."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record, only hides parts of it."""
        match record.msg, record.args:
            case "> GET %s HTTP/1.1", (str(path),):
                record.args = (path.partition("?")[0],)
            case "> %s: %s", (str(name), _) if not _is_harmless(name):
                record.args = (name, "[hidden]")
            case "< %s: %s", (str(name), _) if name.lower() == "set-cookie":
                record.args = (name, "[hidden]")
        return True


def _is_harmless(name: str) -> bool:
    return name.lower() in _HARMLESS or name.lower().startswith("sec-websocket-")


_log = logging.getLogger("realtime_client.transport")
_log.addFilter(_HideSecrets())


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


def connect_websocket(
    *, open_timeout: float = 10.0, close_timeout: float = 2.0, keepalive: Keepalive | None = None
) -> Connect:
    """A `Connect` over real sockets, for the loop that runs when it is entered.

    Raises (on entering):
        HandshakeRefused: The server answered with an HTTP status.
        ConnectFailed: No connection: the address, the network, TLS, or a time-out.
    """
    keep = keepalive or Keepalive()
    options = {
        "compression": None,
        "max_size": MAX_FRAME,
        "open_timeout": open_timeout,
        "close_timeout": close_timeout,
        "ping_interval": keep.interval,
        "ping_timeout": keep.timeout,
        "logger": _log,
    }

    def connect(url: str, headers: Mapping[str, str]) -> _Opening:
        proxied = {} if _may_be_proxied(url) else {"proxy": None}
        return _Opening(url, {**options, **proxied, "additional_headers": headers})

    return connect


class _Opening:
    """The library's own context manager, with this package's errors."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        self._url = url
        self._options = options

    async def __aenter__(self) -> Transport:
        try:
            self._opening = _library()(self._url, **self._options)
            return _WebSocket(await self._opening.__aenter__())
        except (OSError, WebSocketException, ImportError, UnicodeError) as error:
            raise _refused(error, self._url) from None

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._opening.__aexit__(None, None, None)


def _may_be_proxied(url: str) -> bool:
    """Proxies of the environment are for TLS to elsewhere.

    Through a proxy, plain text would be read by it, and this machine is not "elsewhere".
    """
    parts = urlsplit(url)
    return parts.scheme == "wss" and not is_loopback(parts.hostname or "")


def _library() -> Any:
    """The library's `connect` for the running loop, without redirects."""
    base: Any
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        from websockets.trio.client import connect as base
    else:
        from websockets.asyncio.client import connect as base

    class ConnectOnce(base):  # type: ignore[misc]  # chosen at run time, by the loop
        def process_redirect(self, exc: Exception) -> Exception:
            return exc

    return ConnectOnce


def _closed(closed: ConnectionClosed) -> TransportClosed:
    if closed.rcvd is None:
        # What we sent before giving up says why: "keepalive ping timeout", for example.
        return TransportClosed(None, closed.sent.reason if closed.sent else "")
    return TransportClosed(closed.rcvd.code, closed.rcvd.reason)


def _refused(error: Exception, url: str) -> ConnectFailed:
    """The library's error in this package's words. It never quotes our headers."""
    address = url.partition("?")[0]
    match error:
        case InvalidStatus():
            status = error.response.status_code
            body = (error.response.body or b"")[:500].decode("utf-8", "replace").strip()
            advice = _ADVICE.get(status, "")
            if 300 <= status < 400:
                advice = "; redirects are not followed, so that a key never reaches another host"
            return HandshakeRefused(status, body, advice)
        case TimeoutError():
            return ConnectFailed(f"no answer from {address} in time")
        case InvalidProxy() | ProxyError():
            return ConnectFailed("the proxy of the environment cannot be used; see HTTPS_PROXY")
        case ImportError():
            return ConnectFailed("a SOCKS proxy needs the package python-socks[asyncio]")
        case InvalidHeader():
            return ConnectFailed(f"{address} answered the handshake with a bad header")
        case InvalidURI() | InvalidHandshake():
            return ConnectFailed(f"{address} does not speak WebSocket: {error}")
        case _:
            return ConnectFailed(f"cannot reach {address}: {error}")


_ADVICE: Final[Mapping[int, str]] = {
    401: "; the key is wrong, has expired, or belongs to another endpoint",
    403: "; the key may not use this model or this endpoint",
    404: "; is the path right? It usually ends in /v1/realtime",
}
