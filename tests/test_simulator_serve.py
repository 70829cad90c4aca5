"""The server on a real socket, spoken to by plain `websockets` clients of both loops."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime_client.simulator import (
    Answer,
    Question,
    Say,
    SimulatedSession,
    SimulatorPolicy,
    listen,
    serve,
)
from tests.simulated import PCM, Frame, audio, base64, one, spoken, types

pytestmark = pytest.mark.anyio

FAST = SimulatorPolicy(pace="fast")


class Peer:
    """A raw client: frames in, frames out."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def send(self, wire_type: str, **fields: Any) -> None:
        await self.socket.send(msgspec.json.encode({"type": wire_type, **fields}), text=True)

    async def next(self) -> Frame:
        frame = await self.socket.recv()
        assert isinstance(frame, str), "the protocol has text frames only"
        return dict(msgspec.json.decode(frame))

    async def until(self, wire_type: str) -> list[Frame]:
        frames: list[Frame] = []
        while not frames or frames[-1]["type"] != wire_type:
            frames.append(await self.next())
        return frames

    async def closed(self) -> tuple[int | None, str]:
        """Wait for the close; return its code and reason."""
        with pytest.raises(ConnectionClosed) as caught:
            await self.socket.recv()
        received = caught.value.rcvd
        return (received.code, received.reason) if received else (None, "")


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Peer]:
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        from websockets.trio.client import connect as on_trio

        async with on_trio(url, **options) as socket:
            yield Peer(socket)
    else:
        from websockets.asyncio.client import connect as on_asyncio

        async with on_asyncio(url, max_size=None, **options) as socket:
            yield Peer(socket)


async def test_a_spoken_turn_over_a_socket() -> None:
    async with serve(FAST) as server, connected(f"{server.url}?model=gpt-realtime") as peer:
        created = await peer.next()
        assert created["type"] == "session.created"
        assert created["session"]["model"] == "gpt-realtime"
        samples = spoken("Hello over there")
        for start in range(0, len(samples), 2400):
            await peer.send(
                "input_audio_buffer.append", audio=base64(samples[start : start + 2400])
            )
        frames = await peer.until("response.done")
        assert listen(audio(frames), PCM.rate).text == "You said: Hello over there"
        (session,) = server.sessions
        assert [heard.text for heard in session.hearing.heard] == ["Hello over there"]
        assert len(session.received) == -(-len(samples) // 2400)


async def test_deltas_come_over_time() -> None:
    policy = SimulatorPolicy(pace="wire", created_after=0.02)
    async with serve(policy) as server, connected(f"{server.url}?model=m") as peer:
        await peer.next()
        await peer.send(
            "response.create", response={"instructions": "Say exactly the following: a"}
        )
        start = anyio.current_time()
        await peer.until("response.created")
        assert anyio.current_time() - start >= 0.019
        frames = await peer.until("response.done")
        assert listen(audio(frames), PCM.rate).text == "a"


async def test_compression_is_off_and_large_frames_pass() -> None:
    async with serve(FAST) as server:
        url = f"{server.url}?model=m"
        async with connected(url, compression="deflate") as peer:
            await peer.next()
            assert peer.socket.protocol.extensions == []
            await peer.send("session.update", session={"type": "realtime", **no_vad()})
            await peer.next()
            largest = "A" * (15 * 1024 * 1024 // 3 * 4)
            await peer.send("input_audio_buffer.append", audio=largest)
            await peer.send("input_audio_buffer.clear")
            assert (await peer.next())["type"] == "input_audio_buffer.cleared"


def no_vad() -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": None}}}


async def test_binary_frames_are_refused() -> None:
    async with serve(FAST) as server, connected(f"{server.url}?model=m") as peer:
        await peer.next()
        await peer.socket.send(b'{"type":"response.create"}')
        assert (await peer.next())["error"]["code"] == "invalid_event"


@pytest.mark.parametrize(
    ("query", "headers", "code", "close"),
    [
        ("?model=m", {}, "invalid_api_key", 3000),
        ("?model=m", {"Authorization": "Bearer wrong"}, "invalid_api_key", 3000),
        ("", {"Authorization": "Bearer right"}, "missing_model", 4000),
        ("?model=other", {"api-key": "right"}, "invalid_model", 4000),
        ("?model=m", {"api-key": "right", "OpenAI-Beta": "realtime=v1"},
         "beta_api_shape_disabled", 4000),
    ],
)  # fmt: skip
async def test_who_is_refused_is_upgraded_first(
    query: str, headers: dict[str, str], code: str, close: int
) -> None:
    policy = SimulatorPolicy(api_keys=frozenset({"right"}), models=frozenset({"m"}))
    async with (
        serve(policy) as server,
        connected(server.url + query, additional_headers=headers) as peer,
    ):
        error = await peer.next()
        assert (error["type"], error["error"]["code"]) == ("error", code)
        got, reason = await peer.closed()
        assert got == close
        assert code in reason


async def test_the_right_key_comes_in() -> None:
    policy = SimulatorPolicy(api_keys=frozenset({"right"}))
    headers = {"Authorization": "Bearer right"}
    async with (
        serve(policy) as server,
        connected(f"{server.url}?model=m", additional_headers=headers) as peer,
    ):
        assert (await peer.next())["type"] == "session.created"


async def test_another_path_is_not_found() -> None:
    async with serve(FAST) as server:
        url = server.url.replace("/v1/realtime", "/v1/chat")
        with pytest.raises(InvalidStatus) as caught:
            async with connected(url):
                pass
        assert caught.value.response.status_code == 404
        assert list(server.sessions) == []


async def test_expiry_closes_with_1001() -> None:
    policy = SimulatorPolicy(expires_after=0.02)
    async with serve(policy) as server, connected(f"{server.url}?model=m") as peer:
        await peer.next()
        assert (await peer.next())["error"]["code"] == "session_expired"
        assert (await peer.closed())[0] == 1001


async def test_connections_do_not_hear_each_other() -> None:
    async with (
        serve(FAST) as server,
        connected(f"{server.url}?model=a") as first,
        connected(f"{server.url}?model=b") as second,
    ):
        ids = {(await peer.next())["session"]["id"] for peer in (first, second)}
        assert len(ids) == 2
        await first.send("response.create")
        assert types(await first.until("response.done"))[0] == "response.created"
        await second.send("input_audio_buffer.clear")
        assert (await second.next())["type"] == "input_audio_buffer.cleared"
        assert len(server.sessions) == 2


async def test_old_sessions_are_forgotten() -> None:
    async with serve(FAST, keep_sessions=2) as server:
        for model in "abc":
            async with connected(f"{server.url}?model={model}") as peer:
                await peer.next()
        models = [session.settings.session.model for session in server.sessions]
    assert models == ["b", "c"]


async def test_closing_ends_every_connection_with_1001() -> None:
    async with serve(SimulatorPolicy(pace="realtime")) as server:
        url = f"{server.url}?model=m"
        async with connected(url) as peer:
            await peer.next()
            await peer.send("response.create")
            await peer.until("response.created")
            with anyio.fail_after(5):
                await server.aclose()
                await server.aclose()
            code = None
            while code is None:
                try:
                    await peer.next()
                except ConnectionClosed as closed:
                    code = closed.rcvd.code if closed.rcvd else 0
            assert code == 1001
        with pytest.raises(OSError, match=r"."):
            async with connected(url):
                pass


def living_tasks() -> int:
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return int(trio.lowlevel.current_statistics().tasks_living)
    return len(asyncio.all_tasks())


async def drop(peer: Peer) -> None:
    """Break the connection without a word."""
    if hasattr(peer.socket, "transport"):
        peer.socket.transport.abort()
    else:
        await anyio.aclose_forcefully(peer.socket.stream)


@pytest.mark.parametrize("polite", [True, False])
async def test_nothing_is_left_running(polite: bool) -> None:
    before = living_tasks()
    async with serve(SimulatorPolicy(pace="realtime")) as server:
        for _ in range(3):
            async with connected(f"{server.url}?model=m") as peer:
                await peer.next()
                await peer.send("response.create")
                await peer.until("response.created")
                assert living_tasks() > before
                if not polite:
                    await drop(peer)
    assert living_tasks() == before


async def test_nothing_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = SimulatedSession.on_deadline

    def counted(session: SimulatedSession, now: float) -> None:
        nonlocal looks
        looks += 1
        look(session, now)

    monkeypatch.setattr(SimulatedSession, "on_deadline", counted)
    async with serve(FAST) as server, connected(f"{server.url}?model=m") as peer:
        await peer.next()
        await peer.send("input_audio_buffer.clear")
        await peer.next()
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert looks == 2  # once for the greeting, once for the answer


async def test_a_client_that_vanishes_leaves_nothing_behind() -> None:
    async with serve(SimulatorPolicy(pace="realtime")) as server:
        async with connected(f"{server.url}?model=m") as peer:
            await peer.next()
            await peer.send("response.create")
            await peer.until("response.created")
        with anyio.fail_after(5):
            await server.aclose()


async def test_the_exception_of_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with serve(FAST):
            raise KeyError("mine")


async def test_a_cancelled_block_still_closes_in_order() -> None:
    with anyio.fail_after(5), anyio.move_on_after(0.05):
        async with serve(FAST) as server, connected(f"{server.url}?model=m") as peer:
            await peer.next()
            await anyio.sleep_forever()


async def test_an_address_in_use() -> None:
    async with serve(FAST) as server:
        port = int(server.url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match=r"."):
            async with serve(FAST, port=port):
                pass


async def test_a_brain_that_raises_ends_its_connection_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def brain(question: Question) -> Answer:
        if question.text == "boom":
            raise LookupError("no idea")
        return [Say("fine", modality="text")]

    def user(text: str) -> dict[str, Any]:
        part = {"type": "input_text", "text": text}
        return {"type": "message", "role": "user", "content": [part]}

    caplog.set_level(logging.ERROR, logger="realtime_client.simulator")
    async with serve(FAST, brain) as server:
        url = f"{server.url}?model=m"
        async with connected(url) as bad, connected(url) as good:
            await bad.next()
            await bad.send("response.create", response={"input": [user("boom")]})
            assert (await bad.closed())[0] == 1011
            await good.next()
            await good.send("response.create", response={"input": [user("hello")]})
            frames = await good.until("response.done")
            assert one(frames, "response.output_text.done")["text"] == "fine"
        (logged,) = caplog.records
        assert logged.exc_info is not None
        assert logged.exc_info[0] is LookupError
        assert server.connections[0].ended == (1011, "internal error")
