"""What only a socket has: bytes below the frames, pings, buffers, TLS, and a server's end."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from realtime_client.simulator import (
    Answer,
    Drop,
    Ignore,
    Question,
    Refuse,
    Say,
    Server,
    ServerConnection,
    SimulatorPolicy,
    serve,
)
from realtime_client.simulator import serve as serve_function
from tests.test_simulator_serve import FAST, Peer, connected, living_tasks

GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)
UPGRADE = (
    b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CLEAR = '{"type":"input_audio_buffer.clear"}'


@asynccontextmanager
async def one_client(
    policy: SimulatorPolicy = FAST, **options: Any
) -> AsyncIterator[tuple[Peer, ServerConnection]]:
    """A client that has been greeted, and its connection at the server."""
    async with serve(policy) as server, connected(f"{server.url}?model=m", **options) as peer:
        await peer.next()
        yield peer, server.connections[0]


async def pong(peer: Peer) -> None:
    """Ping, and wait for the answer; the two libraries return two kinds of waiter."""
    waiter = await peer.socket.ping()
    await (waiter.wait() if hasattr(waiter, "wait") else waiter)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that tells nobody."""
    with anyio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - it is the server's, which has no event for it
            await anyio.sleep(0.001)


async def until_ended(connection: ServerConnection) -> tuple[int | None, str]:
    """Wait until the server's side has ended; return how."""
    await until(lambda: connection.ended)
    assert connection.ended is not None
    return connection.ended


class Raw:
    """A client that reads nothing unless it is asked to."""

    def __init__(self, stream: SocketStream, protocol: ClientProtocol) -> None:
        self.stream = stream
        self.protocol = protocol
        self.first: list[Frame] = []  # what came with the answer to the handshake

    async def read(self) -> list[Frame]:
        """The frames of one piece, which may be none."""
        if self.first:
            first, self.first = self.first, []
            return first
        self.protocol.receive_data(await self.stream.receive())
        return [event for event in self.protocol.events_received() if isinstance(event, Frame)]

    async def begin(self) -> None:
        self.protocol.send_request(self.protocol.connect())
        await self.flush()
        while True:
            self.protocol.receive_data(await self.stream.receive())
            match self.protocol.events_received():
                case [Response(), *frames]:
                    self.first = [frame for frame in frames if isinstance(frame, Frame)]
                    return

    async def next(self) -> Frame:
        while not self.first:
            self.first = await self.read()
        return self.first.pop(0)

    async def send(self, text: str | bytes, *, fin: bool = True) -> None:
        self.protocol.send_text(text.encode() if isinstance(text, str) else text, fin)
        await self.flush()

    async def flush(self) -> None:
        for data in self.protocol.data_to_send():
            await self.stream.send(data)


@asynccontextmanager
async def raw_client(server: Server) -> AsyncIterator[Raw]:
    port = int(server.url.split(":")[2].split("/")[0])
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        raw = Raw(stream, ClientProtocol(parse_uri(f"{server.url}?model=m")))
        await raw.begin()
        yield raw


# --- what a test can do to a connection ------------------------------------------------


async def test_a_drop_has_no_close_frame() -> None:
    async with one_client() as (peer, connection):
        connection.drop()
        assert await peer.closed() == (None, "")
        assert await until_ended(connection) == (None, "")


async def test_a_drop_does_not_wait_for_a_client_that_does_not_read() -> None:
    def brain(question: Question) -> Answer:
        return [Say("very long " * 400)]

    async with serve(FAST, brain) as server, raw_client(server) as raw:
        await raw.send('{"type":"response.create"}')
        await anyio.wait_all_tasks_blocked()
        (connection,) = server.connections
        await until(lambda: connection.session.responses.spoken)
        await anyio.wait_all_tasks_blocked()
        await raw.send(CLEAR)
        # The reader reads while the writer is held up.
        await until(lambda: len(connection.session.received) == 2)
        assert connection.ended is None
        connection.drop()
        await until_ended(connection)


async def test_a_close_by_hand_says_its_error_first() -> None:
    async with one_client() as (peer, connection):
        connection.close(1001, "session_expired", "session_expired")
        assert (await peer.next())["error"]["code"] == "session_expired"
        assert await peer.closed() == (1001, "session_expired")
        assert await until_ended(connection) == (1001, "session_expired")


async def test_the_close_of_a_client_is_told_from_a_drop() -> None:
    async with one_client() as (peer, connection):
        await peer.socket.send(CLEAR)
        await peer.next()
    assert await until_ended(connection) == (1000, "")
    async with serve(FAST) as server:
        async with raw_client(server) as raw:
            await raw.next()
        assert await until_ended(server.connections[0]) == (None, "")


async def test_a_frozen_connection_answers_no_ping_and_hears_nothing() -> None:
    async with one_client(ping_interval=None, close_timeout=0.05) as (peer, connection):
        with anyio.fail_after(5):
            await pong(peer)
        connection.freeze()
        with anyio.move_on_after(0.05) as scope:
            await peer.socket.send(CLEAR)
            await pong(peer)
        assert scope.cancelled_caught
        assert list(connection.session.received) == []
        assert connection.ended is None


async def test_a_mute_connection_hears_a_ping_and_does_not_answer() -> None:
    async with one_client(ping_interval=None, close_timeout=0.05) as (peer, connection):
        connection.stall(30, reads=False)
        await peer.socket.send(CLEAR)
        with anyio.move_on_after(0.05) as scope:
            await pong(peer)
        assert scope.cancelled_caught
        assert len(connection.session.received) == 1


async def test_an_ignored_connection_answers_pings() -> None:
    async with (
        serve(SimulatorPolicy(mishaps=(Ignore(),))) as server,
        connected(f"{server.url}?model=m", ping_interval=None) as peer,
    ):
        with anyio.fail_after(5):
            await pong(peer)
        await peer.socket.send(CLEAR)
        with anyio.move_on_after(0.05) as scope:
            await peer.next()
        assert scope.cancelled_caught


async def test_a_stall_ends_and_loses_nothing() -> None:
    async with one_client(ping_interval=None) as (peer, connection):
        connection.stall(0.05)
        start = anyio.current_time()
        for _ in range(3):
            await peer.socket.send(CLEAR)
        for _ in range(3):
            assert (await peer.next())["type"] == "input_audio_buffer.cleared"
        assert anyio.current_time() - start >= 0.049
        await pong(peer)


async def test_a_stall_of_reads_alone_leaves_the_server_speaking() -> None:
    async with one_client(close_timeout=0.05) as (peer, connection):
        connection.stall(30, writes=False)
        await peer.socket.send(CLEAR)
        connection.session.foreign_update({"instructions": "Hi"}, anyio.current_time())
        assert (await peer.next())["type"] == "session.updated"
        assert list(connection.session.received) == []


async def test_garbage_arrives_as_it_was_said() -> None:
    async with one_client() as (peer, connection):
        connection.say("not JSON")
        assert await peer.socket.recv() == "not JSON"
        connection.say(b"\x00\xff", binary=True)
        assert await peer.socket.recv() == b"\x00\xff"
        connection.say(b'"\xff"')
        assert await peer.socket.recv(decode=False) == b'"\xff"'
        await peer.socket.send(CLEAR)
        assert (await peer.next())["type"] == "input_audio_buffer.cleared"


async def test_half_a_frame() -> None:
    async with serve(FAST) as server, raw_client(server) as raw:
        assert (await raw.next()).opcode is Opcode.TEXT
        connection = server.connections[0]
        connection.say("first")
        connection.write(b"\x81\x05he")
        assert (await raw.next()).data == b"first"
        connection.write(b"llo")
        assert (await raw.next()).data == b"hello"


async def test_bytes_that_are_no_frame_break_the_clients_side() -> None:
    async with one_client() as (peer, connection):
        connection.write(b"\xff\xff\xff\xff")
        with pytest.raises(ConnectionClosed):
            await peer.next()
        assert (await until_ended(connection))[0] == 1002, "the client says so"


# --- keepalive -------------------------------------------------------------------------


async def test_a_client_that_answers_pings_stays() -> None:
    policy = SimulatorPolicy(pace="fast", keepalive=0.005)
    async with serve(policy) as server, raw_client(server) as raw:
        pings = 0
        while pings < 5:
            pings += sum(frame.opcode is Opcode.PING for frame in await raw.read())
            await raw.flush()  # the pongs
        assert server.connections[0].ended is None


async def test_a_client_that_answers_no_ping_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_client.simulator.front.CLOSE_TIMEOUT", 0.05)
    policy = SimulatorPolicy(pace="fast", keepalive=0.02)
    async with one_client(policy) as (peer, connection):
        connection.stall(30, writes=False)  # its pongs are not heard
        assert await peer.closed() == (1011, "keepalive ping timeout")


@pytest.mark.parametrize("keepalive", [None, 20.0])
async def test_no_ping_comes_before_its_time(keepalive: float | None) -> None:
    policy = SimulatorPolicy(pace="fast", keepalive=keepalive)
    async with serve(policy) as server, raw_client(server) as raw:
        frames = await raw.read()
        with anyio.move_on_after(0.05):
            frames += await raw.read()
    assert [frame.opcode for frame in frames] == [Opcode.TEXT]


# --- WebSocket and HTTP ----------------------------------------------------------------


async def test_a_message_in_several_frames_is_one() -> None:
    async with one_client() as (peer, _):
        await peer.socket.send([CLEAR[:5], CLEAR[5:9], CLEAR[9:]])
        assert (await peer.next())["type"] == "input_audio_buffer.cleared"
        await peer.socket.send([CLEAR[:5].encode(), CLEAR[5:].encode()])
        assert (await peer.next())["error"]["code"] == "invalid_event"
        await peer.socket.send(CLEAR)
        assert (await peer.next())["type"] == "input_audio_buffer.cleared"


async def test_text_that_is_not_utf_8_is_1007() -> None:
    async with one_client() as (peer, connection):
        await peer.socket.send(b"\xff", text=True)
        assert (await peer.closed())[0] == 1007
        assert (await until_ended(connection))[0] == 1007


async def test_a_frame_that_is_too_large_is_1009() -> None:
    async with serve(FAST) as server, raw_client(server) as raw:
        await raw.next()
        await raw.stream.send(b"\x81\xff" + (2**40).to_bytes(8, "big"))
        close = await raw.next()
        assert close.opcode is Opcode.CLOSE
        assert int.from_bytes(close.data[:2], "big") == 1009


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /v1/realtime HTTP/1.1\r\nHost: x\r\n\r\n", b"426"),
        (b"POST /v1/realtime HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
    ],
)
async def test_what_is_no_upgrade_is_answered_by_http(request_: bytes, status: bytes) -> None:
    async with serve(FAST) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(request_)
            with anyio.fail_after(5):
                answer = await stream.receive()
            assert answer.startswith(b"HTTP/1.1 " + status)
        assert not server.connections
        async with connected(f"{server.url}?model=m") as peer:
            assert (await peer.next())["type"] == "session.created"


async def test_a_refusal_reaches_a_client_that_has_more_to_say() -> None:
    async with serve(SimulatorPolicy(mishaps=(Refuse(503, "full"),))) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"GET /v1/realtime HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(1_000_000))
            answer = b""
            with anyio.fail_after(5), contextlib.suppress(anyio.EndOfStream):
                while True:
                    answer += await stream.receive()
        assert answer.startswith(b"HTTP/1.1 503")
        assert answer.endswith(b"full")


async def test_a_client_that_does_not_wait_for_the_answer_is_heard() -> None:
    async with serve(FAST) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            protocol = ClientProtocol(parse_uri(f"{server.url}?model=m"))
            protocol.send_request(protocol.connect())
            protocol.state = State.OPEN
            protocol.send_text(CLEAR.encode())
            await stream.send(b"".join(protocol.data_to_send()))
            await until(lambda: server.connections and server.connections[0].session.received)


async def test_a_handshake_in_pieces() -> None:
    async with serve(FAST) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            for piece in (UPGRADE[:50], UPGRADE[50:-3], UPGRADE[-3:]):
                await anyio.wait_all_tasks_blocked()
                assert not server.handshakes
                await stream.send(piece)
            assert (await stream.receive()).startswith(b"HTTP/1.1 101")


async def test_a_request_that_does_not_end() -> None:
    async with serve(FAST) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            with anyio.fail_after(5), pytest.raises(GONE):
                await stream.send(b"GET /v1/realtime HTTP/1.1\r\nHost: " + b"x" * 1_000_000)
                while True:
                    await stream.receive()
        assert not server.handshakes


@pytest.mark.parametrize("said", [b"what?\r\n\r\n", b"\x16\x03\x01 the beginning of TLS"])
async def test_what_is_not_even_http_ends(said: bytes) -> None:
    async with serve(FAST) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(said)
            with anyio.fail_after(5), pytest.raises(anyio.EndOfStream):
                await stream.receive()
        assert not server.handshakes


async def test_nothing_of_a_handshake_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {"Authorization": "Bearer sk-secret", "api-key": "sk-secret"}
    async with serve(FAST) as server, raw_client(server):
        caplog.clear()
        stream = await anyio.connect_tcp("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
        async with stream:
            protocol = ClientProtocol(parse_uri(f"{server.url}?model=m"))
            request = protocol.connect()
            request.headers.update(headers)
            protocol.debug = False
            protocol.send_request(request)
            for data in protocol.data_to_send():
                await stream.send(data)
            await stream.receive()
        assert server.handshakes[1].api_key == "sk-secret"
    assert "sk-secret" not in caplog.text


# --- the server's own end --------------------------------------------------------------


@pytest.mark.parametrize("how", ["frozen", "in the handshake", "before it", "ignored"])
async def test_the_server_ends_whatever_its_clients_do(how: str) -> None:
    mishap = {"in the handshake": Ignore(upgrade=False), "ignored": Ignore()}.get(how)
    before = living_tasks()
    with anyio.fail_after(5):
        async with serve(SimulatorPolicy(mishaps=(mishap,))) as server:
            port = int(server.url.split(":")[2].split("/")[0])
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                if how != "before it":
                    await stream.send(UPGRADE)
                if how in ("frozen", "ignored"):
                    assert b"101" in await stream.receive()
                if how == "frozen":
                    server.connections[0].freeze()
                start = anyio.current_time()
                if how == "ignored":  # it can still be told, and has to answer
                    await anyio.aclose_forcefully(stream)
                await server.aclose()
                assert anyio.current_time() - start < 1
    assert living_tasks() == before


async def test_a_client_that_does_not_answer_the_close_is_waited_for_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_client.simulator.front.CLOSE_TIMEOUT", 0.05)
    async with serve(FAST) as server, raw_client(server) as raw:
        await raw.next()
        start = anyio.current_time()
        await server.aclose()
        assert 0.05 <= anyio.current_time() - start < 1
        frame = await raw.next()
        assert frame.opcode is Opcode.CLOSE
        assert int.from_bytes(frame.data[:2], "big") == 1001


async def test_a_client_that_reads_nothing_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules["realtime_client.simulator.serve"]  # of whose name is a function too
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.05)

    def brain(question: Question) -> Answer:
        return [Say("very long " * 400)]

    async with serve(FAST, brain) as server, raw_client(server) as raw:
        await raw.send('{"type":"response.create"}')
        await until(lambda: server.connections[0].session.responses.spoken)
        with anyio.fail_after(1):
            await server.aclose()


async def test_a_server_whose_block_is_cancelled_says_so_to_its_clients() -> None:
    server, running, scope = serve(FAST), anyio.Event(), anyio.CancelScope()

    async def run() -> None:
        with scope:
            async with server:
                running.set()
                await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await running.wait()
        async with connected(f"{server.url}?model=m") as peer:
            await peer.next()
            scope.cancel()
            assert (await peer.closed())[0] == 1001


async def test_nobody_is_there_before_and_after() -> None:
    server = serve_function(FAST)
    await server.aclose()
    await server.__aexit__(None, None, None)
    async with server as same:
        assert same is server
        url = f"{server.url}?model=m"
        async with connected(url) as peer:
            await peer.next()
    with pytest.raises(OSError, match=r"."):
        async with connected(url):
            pass


async def test_a_server_may_be_entered_again() -> None:
    server = serve(FAST)
    for times in (1, 2):
        async with server, connected(f"{server.url}?model=m") as peer:
            assert (await peer.next())["type"] == "session.created"
            assert len(server.connections) == times
            await server.aclose()
            assert server.connections[-1].ended is not None


async def test_a_planned_drop_in_place_of_the_session() -> None:
    async with serve(SimulatorPolicy(mishaps=(Drop(),))) as server:
        async with connected(f"{server.url}?model=m") as peer:
            assert await peer.closed() == (None, "")
        assert await until_ended(server.connections[0]) == (None, "")


async def test_a_call_survives_its_socket() -> None:
    async with serve(FAST) as server:
        url = f"{server.url}?call_id=rtc_1"
        async with connected(url) as peer:
            await peer.next()
            part = {"type": "input_text", "text": "Hello"}
            item = {"type": "message", "role": "user", "content": [part]}
            await peer.send("conversation.item.create", item=item)
            await peer.until("conversation.item.done")
            server.connections[0].drop()
            await peer.closed()
        async with connected(url) as peer, connected(url) as other:
            for one in (peer, other):
                assert (await one.next())["type"] == "session.created"
            await peer.send("response.create")
            for one in (peer, other):
                said = (await one.until("response.output_audio_transcript.done"))[-1]
                assert said["transcript"] == "You said: Hello"
        assert len(server.sessions) == 1
        assert server.sessions[0].conversation.told[0] == ("user", "Hello")


# --- TLS -------------------------------------------------------------------------------


async def test_over_tls_it_is_the_same_server() -> None:
    certificates = pytest.importorskip("tests.certificates")
    async with serve(FAST, ssl=certificates.server_context("localhost", "127.0.0.1")) as server:
        assert server.url.startswith("wss://")
        trusting = certificates.trusting()
        async with connected(f"{server.url}?model=m", ssl=trusting) as peer:
            await peer.next()
            await peer.send("response.create")
            assert (await peer.until("response.done"))[-1]["response"]["status"] == "completed"
            start = anyio.current_time()
            await (peer.socket.aclose if hasattr(peer.socket, "aclose") else peer.socket.close)()
            assert anyio.current_time() - start < 1, "closing does not wait for a time-out"
        async with connected(f"{server.url}?model=m", ssl=trusting) as peer:
            await peer.next()
            server.connections[-1].drop()
            assert (await peer.closed())[0] is None
