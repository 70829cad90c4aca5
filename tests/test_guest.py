"""A guest in its host: what goes wrong here is told, and never breaks what is around it."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from realtime_client import Client, Endpoint, events
from realtime_client.connection import Connection
from realtime_client.creates import METADATA_KEY
from realtime_client.errors import (
    ConfigDrift,
    ConnectFailed,
    ConnectionLost,
    InvalidClientEvent,
    KeyRefused,
    RealtimeError,
    ResponseRejected,
    ServerError,
    SessionSilent,
    SessionUpdateRejected,
    UsageError,
)
from realtime_client.frames import Happened
from realtime_client.link import Link
from realtime_client.simulator import SimulatorPolicy, serve, sing
from tests import wire
from tests.scripted import DROPPED, ScriptedTransport, opens, scripted
from tests.test_transport import websocket

# -- the block --------------------------------------------------------------------------------


async def test_what_a_cancelled_block_raises_is_not_replaced_by_the_cancellation() -> None:
    async with serve() as server:
        with pytest.raises(ValueError, match="mine"):
            with anyio.CancelScope() as scope:
                async with Client(endpoint=server.url):
                    try:
                        scope.cancel()
                        await anyio.sleep_forever()
                    finally:
                        raise ValueError("mine")


async def test_what_was_queued_is_written_before_the_connection_closes() -> None:
    async with serve() as server:
        async with Client(endpoint=server.url, turn_detection=None) as client:
            await client.send_audio(sing("last words"))
            await client.input_audio_buffer.append(bytes(9_600))
            await client.send({"type": "input_audio_buffer.commit"})
        kinds = [type(event) for event in server.sessions[0].received]
        assert kinds.count(events.InputAudioBufferAppend) > 5
        assert kinds[-1] is events.InputAudioBufferCommit


class Broken(ScriptedTransport):
    """Its socket fails in a way that no transport should."""

    async def send(self, data: bytes) -> None:
        if b"session.update" not in data:
            raise OSError("the cable is gone")
        await super().send(data)


async def test_a_transport_that_misbehaves_ends_the_connection_and_not_the_host(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scripted(transport=Broken, reconnect=None) as (client, _):
        with pytest.raises(ConnectionLost, match="OSError: the cable is gone"):
            await client.send_text("hello")
        with pytest.raises(ConnectionLost):
            await client.send_text("again")
    assert "unexpected error" in caplog.text


async def test_a_fault_of_ours_under_a_flood_still_lets_the_owner_leave(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def flood(connection: ServerConnection) -> None:
        connection.send(wire.frame("session.created", session=wire.session()).decode())
        with contextlib.suppress(ConnectionClosed):
            while True:
                connection.send(wire.frame("pong", filler="x" * 10_000).decode())

    def fault(self: Connection, link: Link, happened: Happened, now: float) -> None:
        raise ZeroDivisionError("a fault of ours")

    # Far below the time for closing, which is what it would take without a close frame.
    with websocket(flood) as url, anyio.fail_after(20):
        async with Client(endpoint=url, close_timeout=60, reconnect=None) as client:
            monkeypatch.setattr(Connection, "on_frame", fault)
            with pytest.raises(ConnectionLost, match="a fault of ours"):
                await anext(client.events())
            with pytest.raises(ConnectionLost, match="a fault of ours"):
                while True:
                    await client.send_text("x")
    assert "unexpected error" in caplog.text


async def test_an_error_that_is_raised_often_does_not_grow() -> None:
    async with scripted(reconnect=None) as (client, server):
        server.say(DROPPED)
        lengths = set()
        for _ in range(5):
            with pytest.raises(ConnectionLost) as caught:
                await client.send_text("x")
            lengths.add(len(traceback.extract_tb(caught.value.__traceback__)))
        assert len(lengths - {min(lengths)}) <= 1
        assert max(lengths) < 12


# -- before, and after it did not open ----------------------------------------------------------


async def test_a_client_that_is_not_open_says_so_everywhere() -> None:
    client = Client(endpoint="ws://127.0.0.1:1/r")
    uses: list[Any] = [
        lambda: client.session,
        lambda: client.response,
        lambda: client.conversation,
        lambda: client.input_audio_buffer,
        lambda: client.events(),
        lambda: client.stats,
    ]
    for use in uses:
        with pytest.raises(UsageError, match="async with"):
            use()
    for call in (client.send_text("x"), client.send_audio(b""), client.send({"type": "x"})):
        with pytest.raises(UsageError, match="async with"):
            await call
    with pytest.raises(ConnectFailed):
        async with client:
            pytest.fail("it must not open")
    with pytest.raises(ConnectFailed):
        await client.send_text("x")


@pytest.mark.parametrize(
    ("first", "error", "words"),
    [
        ([DROPPED], ConnectFailed, "before the session was open"),
        ([wire.frame("session.created", session=wire.session()), DROPPED], ConnectFailed, "before"),
        ([wire.error(None, "invalid_api_key", "Bad key."), DROPPED], KeyRefused, "Bad key."),
    ],
)
async def test_what_ends_an_opening_is_a_failed_connect(
    first: Sequence[bytes | Exception], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        async with scripted(lambda frame: [], first=first, instructions="x"):
            pytest.fail("it must not open")


async def test_a_refusal_without_an_id_while_opening_is_about_the_configuration() -> None:
    def refuses(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        return [wire.error(None, "invalid_value", "Not so.")]

    with pytest.raises(SessionUpdateRejected, match=r"Not so\."):
        async with scripted(refuses, instructions="x"):
            pytest.fail("it must not open")


class Stuck(ScriptedTransport):
    """Its socket takes nothing."""

    async def send(self, data: bytes) -> None:
        await anyio.sleep_forever()


async def test_a_socket_that_takes_nothing_does_not_stop_the_clock() -> None:
    with pytest.raises(SessionSilent, match=r"it sent no session\.updated"):
        async with scripted(
            transport=Stuck, instructions="x", open_timeout=0.05, close_timeout=0.05
        ):
            pytest.fail("it must not open")


# -- what is given cannot change ----------------------------------------------------------------


async def test_a_dict_that_is_changed_after_sending_is_sent_as_it_was() -> None:
    answers: list[dict[str, Any]] = []

    def hold(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        answers.append(frame)
        return []

    async with scripted(hold) as (client, server):
        session = {"type": "realtime", "instructions": "a"}
        update = {"type": "session.update", "session": session}
        await client.send(update)
        await client.send(update)
        session["instructions"] = "changed"
        while not answers:
            await anyio.lowlevel.checkpoint()
        server.say(wire.frame("session.updated", session=wire.session(instructions="a")))
        while len(answers) < 2:
            await anyio.lowlevel.checkpoint()
    assert [frame["session"]["instructions"] for frame in answers] == ["a", "a"]


async def test_what_cannot_be_written_is_refused_and_leaves_nothing_behind() -> None:
    bad = "\ud83d"
    async with scripted() as (client, server):
        item = events.user_message(bad)
        wrong: list[Any] = [
            events.ConversationItemCreate(item=item),
            events.ResponseCreate(response=events.ResponseCreateParams(instructions=bad)),
            events.SessionUpdate(session=events.SessionConfig(instructions=bad)),
            {"type": "session.update", "session": {"type": "realtime", "instructions": bad}},
        ]
        for command in wrong:
            with pytest.raises(InvalidClientEvent):
                await client.send(command)
        connection = client._connection
        assert connection is not None
        assert connection.protocol._desk.open_requests == ()
        assert connection.protocol.router.is_idle
        assert client.session.in_flight == ()
    assert server.received == []


# -- requests -----------------------------------------------------------------------------------


async def test_two_commits_at_once_get_each_its_own_answer() -> None:
    policy = SimulatorPolicy(late_commit_error=0.05)
    async with (
        serve(policy) as server,
        Client(endpoint=server.url, turn_detection=None) as client,
    ):
        outcomes: dict[str, Any] = {}

        async def commit(name: str) -> None:
            try:
                outcomes[name] = await client.input_audio_buffer.commit()
            except RealtimeError as error:
                outcomes[name] = error

        sent = client.sent()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(commit, "empty")
            assert (await anext(sent)).type == "input_audio_buffer.commit"
            await client.send_audio(sing("two"))
            tasks.start_soon(commit, "full")
        assert isinstance(outcomes["empty"], ServerError)
        assert outcomes["empty"].code == "input_audio_buffer_commit_empty"
        assert isinstance(outcomes["full"], events.InputAudioBufferCommitted)


async def test_a_response_that_is_over_before_it_began_is_told() -> None:
    def fails(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        if frame["type"] != "response.create":
            return opens(frame)
        metadata = frame["response"]["metadata"]
        error = {"code": "rate_limit_exceeded", "message": "slow down"}
        details = {"type": "failed", "error": error}
        return [wire.done("resp_1", "failed", metadata=metadata, status_details=details)]

    async with scripted(fails) as (client, _):
        response = await client.response.create(metadata={"mine": "1"})
        assert (response.id, response.status, dict(response.metadata)) == (
            "resp_1",
            "failed",
            {"mine": "1"},
        )
        with pytest.raises(ServerError, match="slow down"):
            await anext(aiter(response))
        connection = client._connection
        assert connection is not None
        assert connection.protocol.router.is_idle


async def test_a_response_without_an_id_is_an_error_and_not_a_hang() -> None:
    def nameless(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        if frame["type"] != "response.create":
            return opens(frame)
        response = {"status": "in_progress", "metadata": frame["response"]["metadata"]}
        return [wire.frame("response.created", response=response)]

    async with scripted(nameless) as (client, _):
        with pytest.raises(ResponseRejected, match="without an id"):
            await client.response.create()


async def test_a_response_that_somebody_else_holds_ends_before_his_ears() -> None:
    def begins(frame: dict[str, Any]) -> Sequence[bytes | Exception]:
        if frame["type"] == "response.create":
            return [wire.created("resp_1", frame["response"]["metadata"])]
        if frame["type"] == "response.cancel":
            return [wire.done(frame["response_id"], "cancelled")]
        return opens(frame)

    async with scripted(begins) as (client, server):
        with client.responses() as responses:
            connection = client._connection
            assert connection is not None
            event_id = connection.send(events.ResponseCreate())
            assert event_id is not None
            response = await anext(responses)
            connection.protocol.give_up(event_id, 0.0, heard=True)
            connection.link.after()
            assert (await response.done()).status == "cancelled"
        assert server.received[-1]["type"] == "response.cancel"


async def test_what_is_given_up_is_forgotten() -> None:
    async with scripted(lambda frame: []) as (client, server):
        for _ in range(20):
            with anyio.move_on_after(0):
                await client.response.create()
        connection = client._connection
        assert connection is not None
        assert connection.protocol._desk.open_requests == ()
        # One may have gone out: it holds its place until the server says what became of it.
        assert len(list(connection.protocol.router.creates)) <= 1
        key = server.received[0]["response"]["metadata"][METADATA_KEY] if server.received else ""
        assert key.count("-") <= 1


async def test_audio_that_was_held_when_the_format_changed_is_sent_in_the_new_one() -> None:
    async with serve() as server, Client(endpoint=server.url, turn_detection=None) as client:
        sent = client.sent()
        await client.send_audio(bytes(2 * 24 * 150))
        await client.session.update(input_format="audio/pcmu")
        await client.send_audio(bytes(2 * 24 * 100))
        await client.input_audio_buffer.commit()
        sizes = [
            len(frame.event.audio)
            for frame in list(sent._items)
            if isinstance(frame.event, events.InputAudioBufferAppend)
        ]
        assert sizes == [4_800, 800, 400]


async def test_audio_that_follows_a_change_of_format_waits_for_its_answer() -> None:
    policy = SimulatorPolicy(update_after=0.05)
    async with serve(policy) as server, Client(endpoint=server.url, turn_detection=None) as client:
        async with anyio.create_task_group() as tasks:
            sent = client.sent()
            tasks.start_soon(lambda: client.session.update(input_format="audio/pcmu"))
            assert (await anext(sent)).type == "session.update"
            await client.send_audio(sing("Is it raining?"))
            await client.input_audio_buffer.commit()
        assert [turn.text for turn in server.sessions[0].hearing.heard] == ["Is it raining?"]


async def test_drift_does_not_show_values() -> None:
    tool = {"type": "mcp", "server_label": "s", "server_url": "http://x", "authorization": "SECRET"}
    policy = SimulatorPolicy(ignored_fields=frozenset({"tools"}))
    async with serve(policy) as server, Client(endpoint=server.url) as client:
        with pytest.raises(ConfigDrift, match="tools") as caught:
            await client.session.update(strict=True, tools=[tool])
        assert "SECRET" not in str(caught.value)


async def test_somebody_with_a_stuck_socket_still_gets_a_settled_answer_in_time() -> None:
    class StuckAfterTheFirst(ScriptedTransport):
        async def send(self, data: bytes) -> None:
            if self.received:
                await anyio.sleep_forever()
            await super().send(data)

    async with scripted(lambda frame: [], transport=StuckAfterTheFirst, close_timeout=0.05) as (
        client,
        server,
    ):
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:

                async def update() -> None:
                    ack = await client.session.update(instructions="x", timeout=60)
                    assert [one.path for one in ack.ignored] == ["instructions"]

                tasks.start_soon(update)
                while not server.received:
                    await anyio.lowlevel.checkpoint()
                await client.send({"type": "input_audio_buffer.clear"})
                server.say(wire.frame("session.updated", session=wire.session(instructions="y")))


# -- the environment ------------------------------------------------------------------------------


async def test_a_proxy_of_the_environment_never_sees_what_is_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "ws_proxy", "wss_proxy", "socks_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serve() as server, Client(endpoint=Endpoint(server.url, api_key="sk-x")) as client:
        await client.send_text("hello")
