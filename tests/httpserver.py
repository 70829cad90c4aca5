"""Somebody else's servers on a loopback socket: one that answers, and a proxy."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import anyio
import anyio.abc
from anyio.streams.tls import TLSListener

__all__ = ["Proxy", "http", "listening", "reply"]

_Serve = Callable[[anyio.abc.ByteStream], Awaitable[None]]


def reply(status: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def head(stream: anyio.abc.ByteReceiveStream) -> bytes:
    """A request up to its empty line, and not a byte more."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += await stream.receive(1)
    return request


@contextlib.asynccontextmanager
async def listening(serve: _Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve whoever comes, at the port that this gives."""
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as tcp,
        anyio.create_task_group() as tasks,
    ):
        listener: anyio.abc.Listener[anyio.abc.ByteStream] = tcp
        if context is not None:
            listener = TLSListener(tcp, context, standard_compatible=False)

        tasks.start_soon(listener.serve, serve)
        yield tcp.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def http(
    answer: bytes, *, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads one request and answers with these bytes: its URL, its requests."""
    requests: list[bytes] = []

    async def serve(stream: anyio.abc.ByteStream) -> None:
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            async with stream:
                requests.append(await head(stream))
                await stream.send(answer)

    async with listening(serve, context) as port:
        scheme = "ws" if context is None else "wss"
        yield f"{scheme}://127.0.0.1:{port}/v1/realtime", requests


@dataclass
class Proxy:
    """An HTTP proxy. `requests` are what it was asked for; it passes on with status 200 only."""

    status: str = "200 Connection established"
    requests: list[bytes] = field(default_factory=list)
    passed: list[bytes] = field(default_factory=list)
    """What went through it, to the server."""

    @contextlib.asynccontextmanager
    async def running(self, user: str = "") -> AsyncIterator[str]:
        """Its URL, with this user and password."""
        async with listening(self._serve) as port:
            yield f"http://{user}{'@' if user else ''}127.0.0.1:{port}"

    async def _serve(self, stream: anyio.abc.ByteStream) -> None:
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            async with stream:
                request = await head(stream)
                self.requests.append(request)
                if not self.status.startswith("200"):
                    await stream.send(reply(self.status))
                    return
                await stream.send(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
                host, _, port = request.split()[1].decode().rpartition(":")
                async with (
                    await anyio.connect_tcp(host, int(port)) as server,
                    anyio.create_task_group() as tasks,
                ):
                    tasks.start_soon(self._pass_on, server, stream, tasks.cancel_scope, [])
                    await self._pass_on(stream, server, tasks.cancel_scope, self.passed)

    async def _pass_on(
        self,
        source: anyio.abc.ByteStream,
        sink: anyio.abc.ByteStream,
        scope: anyio.CancelScope,
        seen: list[bytes],
    ) -> None:
        with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            async for data in source:
                seen.append(data)
                await sink.send(data)
        scope.cancel()
