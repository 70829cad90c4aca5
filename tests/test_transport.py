"""The real transport against real sockets: what it says when it cannot, and to whom it talks."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import anyio
import anyio.abc
import pytest
from websockets.sync.server import ServerConnection, serve

from realtime_client.errors import ConnectFailed, HandshakeRefused
from realtime_client.transport import TransportClosed, connect_websocket

KEY = "sk-very-secret"
HEADERS = {"Authorization": f"Bearer {KEY}", "api-key": KEY, "xi-api-key": KEY}


@contextlib.contextmanager
def websocket(handler: Callable[[ServerConnection], None]) -> Iterator[str]:
    """Somebody else's WebSocket server, in a thread."""
    with serve(handler, "127.0.0.1", 0, compression="deflate") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime"
        server.shutdown()
        thread.join()


@contextlib.asynccontextmanager
async def http(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads one request and answers with these bytes."""
    requests: list[bytes] = []

    async def handle(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            request = b""
            while b"\r\n\r\n" not in request:
                request += await stream.receive()
            requests.append(request)
            await stream.send(answer)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, handle)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        yield f"ws://127.0.0.1:{port}/v1/realtime", requests
        tasks.cancel_scope.cancel()


def reply(status: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def attempt(url: str) -> Any:
    async with connect_websocket(open_timeout=5)(url, HEADERS) as transport:
        return await transport.receive()


async def test_frames_go_both_ways_as_text_without_compression() -> None:
    seen: dict[str, Any] = {}

    def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen["offered"] = connection.request.headers.get("Sec-WebSocket-Extensions")
        seen["key"] = connection.request.headers.get("Authorization")
        seen["frame"] = connection.recv()
        connection.send(seen["frame"] + "!")

    with websocket(handler) as url:
        async with connect_websocket()(url, HEADERS) as transport:
            await transport.send(b'{"a":"\xc3\xa9"}')
            assert await transport.receive() == b'{"a":"\xc3\xa9"}!'
    assert seen == {"offered": None, "key": f"Bearer {KEY}", "frame": '{"a":"é"}'}


async def test_a_frame_may_be_as_large_as_the_largest_item() -> None:
    text = "x" * (20 * 1024 * 1024)
    with websocket(lambda connection: connection.send(text)) as url:
        async with connect_websocket()(url, {}) as transport:
            assert len(await transport.receive()) == len(text)


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (3000, "bad key"), (1001, "expired")])
async def test_a_close_frame_says_why(code: int, reason: str) -> None:
    with websocket(lambda connection: connection.close(code, reason)) as url:
        async with connect_websocket()(url, {}) as transport:
            with pytest.raises(TransportClosed) as caught:
                await transport.receive()
            assert (caught.value.code, caught.value.reason) == (code, reason)
            with pytest.raises(TransportClosed):
                await transport.send(b"{}")


async def test_a_drop_is_not_a_close() -> None:
    with websocket(lambda connection: connection.socket.shutdown(2)) as url:
        async with connect_websocket()(url, {}) as transport:
            with pytest.raises(TransportClosed) as caught:
                await transport.receive()
            assert caught.value.code is None


@pytest.mark.parametrize(
    ("status", "retryable"),
    [("401 Unauthorized", False), ("403 Forbidden", False), ("404 Not Found", False),
     ("429 Too Many Requests", True), ("503 Service Unavailable", True)],
)  # fmt: skip
async def test_an_http_refusal_carries_the_servers_words(status: str, retryable: bool) -> None:
    async with http(reply(status, b"the reason")) as (url, _):
        with pytest.raises(HandshakeRefused) as caught:
            await attempt(url)
    assert caught.value.status == int(status[:3])
    assert caught.value.body == "the reason"
    assert caught.value.retryable is retryable
    assert "the reason" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_with_any_credential(code: int) -> None:
    async with http(reply("200 OK")) as (elsewhere, visits):
        redirect = reply(f"{code} Elsewhere", headers={"Location": elsewhere})
        async with http(redirect) as (url, requests):
            with pytest.raises(HandshakeRefused, match="redirects are not followed") as caught:
                await attempt(url)
    assert len(requests) == 1
    assert visits == []
    assert not caught.value.retryable


async def test_what_is_no_websocket_and_what_is_not_there_are_said_so() -> None:
    async with http(b"SSH-2.0-OpenSSH\r\n") as (url, _):
        with pytest.raises(ConnectFailed, match="does not speak WebSocket"):
            await attempt(url)
    with pytest.raises(ConnectFailed, match=r"cannot reach ws://127\.0\.0\.1"):
        await attempt(url + "?model=secret")


async def test_an_error_never_shows_the_query() -> None:
    with pytest.raises(ConnectFailed) as caught:
        await attempt(f"ws://127.0.0.1:1/r?token={KEY}")
    assert KEY not in str(caught.value)


async def test_no_credential_is_ever_logged(caplog: pytest.LogCaptureFixture) -> None:
    headers = {**HEADERS, "X-Gateway-Token": KEY, "Cookie": f"session={KEY}"}
    async with http(reply("403 Forbidden", headers={"Set-Cookie": f"s={KEY}"})) as (url, requests):
        with (
            caplog.at_level(logging.DEBUG, logger="realtime_client.transport"),
            pytest.raises(HandshakeRefused),
        ):
            async with connect_websocket()(f"{url}?key={KEY}", headers):
                pass
    assert requests[0].count(KEY.encode()) == 6
    assert caplog.text.count("[hidden]") == 6
    assert "GET /v1/realtime HTTP" in caplog.text
    assert KEY not in caplog.text
