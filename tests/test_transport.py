"""The real transport against real sockets: what it says when it cannot, and to whom it talks."""

from __future__ import annotations

import base64
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from realtime_client.errors import ConnectFailed, HandshakeRefused, UsageError
from realtime_client.transport import TransportClosed, connect_websocket
from tests.certificates import server_context, trusting
from tests.httpserver import Proxy, http, reply
from tests.traces import seen_by_collectors

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


async def attempt(url: str, **options: Any) -> Any:
    async with connect_websocket(open_timeout=5, **options)(url, HEADERS) as transport:
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


async def test_what_is_said_is_not_logged_either(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG, logger="realtime_client.transport"),
        websocket(lambda connection: connection.send(connection.recv())) as url,
    ):
        async with connect_websocket()(url, {}) as transport:
            await transport.send(f'{{"authorization":"{KEY}"}}'.encode())
            assert KEY.encode() in await transport.receive()
    assert "> TEXT [34 bytes]" in caplog.text
    assert "< TEXT [34 bytes]" in caplog.text
    assert "CLOSE 1000" in caplog.text
    assert KEY not in caplog.text


async def test_a_refusal_that_repeats_the_key_is_passed_on_without_it() -> None:
    body = f"{'x' * 490}{KEY} is no key, nor is Bearer {KEY}".encode()
    async with http(reply("401 Unauthorized", body)) as (url, requests):
        with pytest.raises(HandshakeRefused) as caught:
            await attempt(url)
    assert KEY.encode() in requests[0]
    assert caught.value.body.endswith("x*** is no")
    assert KEY[:6] not in str(caught.value)


async def test_a_traceback_with_its_locals_shows_no_key() -> None:
    url = "ws://127.0.0.1:1/r"
    with pytest.raises(ConnectFailed) as caught:
        async with connect_websocket()(f"{url}?key={KEY}", Hidden(HEADERS)):
            pass
    assert "'attempt': Attempt()" in seen_by_collectors(caught.value)
    assert KEY not in seen_by_collectors(caught.value)


class Hidden(dict[str, str]):
    """Headers as an endpoint gives them."""

    def __repr__(self) -> str:
        return "<headers>"


# -- proxies ----------------------------------------------------------------------------------

ELSEWHERE = "wss://elsewhere.example/v1/realtime"
USER = "me:pass-word"
BASIC = base64.b64encode(USER.encode())


@contextlib.asynccontextmanager
async def secured() -> Any:
    """A server over TLS that refuses: its URL and what it was asked."""
    async with http(reply("403 Forbidden"), context=server_context("127.0.0.1")) as server:
        yield server


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies."""
    for name in ("https_proxy", "wss_proxy", "http_proxy", "socks_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


async def test_a_proxy_that_was_named_is_gone_through_and_sees_no_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy = Proxy()
    with caplog.at_level(logging.DEBUG):
        async with secured() as (url, requests), proxy.running(USER) as way:
            with pytest.raises(HandshakeRefused):
                await attempt(url, ssl=trusting(), proxy=way)
    assert requests[0].count(KEY.encode()) == 3
    assert proxy.requests[0].startswith(b"CONNECT 127.0.0.1:")
    assert BASIC in proxy.requests[0]
    assert KEY.encode() not in proxy.requests[0] + b"".join(proxy.passed)
    for secret in (USER, "pass-word", BASIC.decode(), KEY):
        assert secret not in caplog.text


async def test_a_proxy_of_the_environment_is_for_tls_to_elsewhere(
    no_proxy: pytest.MonkeyPatch,
) -> None:
    proxy = Proxy("502 Bad Gateway")
    async with proxy.running(USER) as way, secured() as (url, requests):
        no_proxy.setenv("HTTPS_PROXY", way)
        with pytest.raises(ConnectFailed, match=r"proxy of the environment.* with HTTP 502"):
            await attempt(ELSEWHERE)
        assert proxy.requests[0].startswith(b"CONNECT elsewhere.example:443")
        with pytest.raises(HandshakeRefused):
            await attempt(url, ssl=trusting())
        assert len(requests) == 1
    assert len(proxy.requests) == 1


async def test_without_a_proxy_there_is_none(no_proxy: pytest.MonkeyPatch) -> None:
    proxy = Proxy("502 Bad Gateway")
    async with proxy.running(USER) as way:
        no_proxy.setenv("HTTPS_PROXY", way)
        with pytest.raises(ConnectFailed, match="cannot reach wss://nowhere"):
            await attempt("wss://nowhere.invalid/r", proxy=None)
    assert proxy.requests == []


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "503 No"])
async def test_a_proxy_that_refuses_is_shown_without_its_password(status: str) -> None:
    async with Proxy(status).running(USER) as way:
        with pytest.raises(ConnectFailed) as caught:
            await attempt(ELSEWHERE, proxy=way)
        address = way.replace(f"{USER}@", "")
    words = f"the proxy {address} refused to connect with HTTP {status[:3]}"
    assert str(caught.value) == words
    assert "_Opening.__aenter__" in seen_by_collectors(caught.value)
    assert "pass-word" not in seen_by_collectors(caught.value)


async def test_a_proxy_that_is_not_there() -> None:
    with pytest.raises(ConnectFailed, match=r"by way of the proxy http://127\.0\.0\.1:1") as caught:
        await attempt(ELSEWHERE, proxy=f"http://{USER}@127.0.0.1:1")
    assert "pass-word" not in str(caught.value)


async def test_a_proxy_that_is_none_answers_something() -> None:
    async with http(b"SSH-2.0-OpenSSH\r\n\r\n") as (url, _):
        with pytest.raises(ConnectFailed, match=r"the proxy http://.* cannot be used") as caught:
            await attempt(ELSEWHERE, proxy=f"http://{USER}@{url[5:].partition('/')[0]}")
    assert "pass-word" not in str(caught.value)


@pytest.mark.parametrize(
    "way",
    ["", "host:3128", "ftp://host", "http://", f"http://{USER}@host:port", f"http://{USER}@h/path",
     "http://me@host", "http://host?x", True.__class__, False, 3128],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_without_repeating_it(way: Any) -> None:
    with pytest.raises(UsageError, match="not the URL of a proxy") as caught:
        connect_websocket(proxy=way)
    assert "pass-word" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("way", [f"http://{USER}@host:port", f"ftp://{USER}@host", "http://me@h"])
async def test_a_proxy_of_the_environment_that_is_none(
    no_proxy: pytest.MonkeyPatch, way: str
) -> None:
    no_proxy.setenv("HTTPS_PROXY", way)
    with pytest.raises(ConnectFailed, match="see HTTPS_PROXY, cannot be used") as caught:
        await attempt(ELSEWHERE)
    assert "pass-word" not in seen_by_collectors(caught.value)


async def test_plain_text_goes_through_no_proxy() -> None:
    proxy = Proxy()
    async with http(reply("403 Forbidden")) as (url, requests), proxy.running(USER) as way:
        with pytest.raises(UsageError, match="proxy= is for wss://") as caught:
            await attempt(url, proxy=way)
    assert requests == proxy.requests == []
    assert "'named': http://127.0.0.1:" in seen_by_collectors(caught.value)
    assert "pass-word" not in seen_by_collectors(caught.value)


# -- TLS --------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [True, False, "cert.pem"])
def test_what_is_no_context_is_refused(context: Any) -> None:
    with pytest.raises(UsageError, match=r"ssl= takes an ssl\.SSLContext"):
        connect_websocket(ssl=context)


async def test_a_context_is_not_ignored_over_plain_text() -> None:
    async with http(reply("403 Forbidden")) as (url, requests):
        with pytest.raises(UsageError, match="ssl= is for wss://") as caught:
            await attempt(f"{url}?key={KEY}", ssl=trusting())
    assert requests == []
    assert KEY not in str(caught.value)
