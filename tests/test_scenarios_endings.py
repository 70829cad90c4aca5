"""N10, N12: the end of a client, told to everybody, and what kind of end it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from math import inf
from typing import Any

import anyio
import pytest

from realtime_client import Client
from realtime_client.errors import (
    ClientClosed,
    ConnectionLost,
    RealtimeError,
    ReconnectFailed,
)
from realtime_client.simulator import Refuse, SimulatorPolicy, serve
from tests.outages import (
    FAST,
    callers,
    disconnected,
    failing,
    reconnected,
    talking,
    until,
)
from tests.scenarios import says
from tests.test_pictures import PNG
from tests.test_scenarios_losses import REQUESTS

# -- N10 --------------------------------------------------------------------------------------

VERBS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    **REQUESTS,
    "audio": lambda c: c.send_audio(bytes(9_600)),
    "append": lambda c: c.input_audio_buffer.append(bytes(9_600)),
    "image": lambda c: c.send_image(PNG),
    "send": lambda c: c.send({"type": "input_audio_buffer.clear"}),
    "sync": lambda c: c.conversation.sync([]),
    "interrupt": lambda c: c.interrupt(),
    "ready": lambda c: c.ready(),
}

WATCHES: dict[str, Callable[[Client], Any]] = {
    "events": lambda c: c.events(),
    "sent": lambda c: c.sent(),
    "responses": lambda c: c.responses(),
    "orphans": lambda c: c.orphans(),
    "errors": lambda c: c.errors(),
    "connections": lambda c: c.connections(),
    "user_turns": lambda c: c.user_turns(),
    "notices": lambda c: c.session.notices(),
    "changes": lambda c: c.session.changes(),
    "items": lambda c: c.conversation.changes(),
    "stops": lambda c: c.playback.stops(),
    "reports": lambda c: c.tools.reports(),
}


async def ending(watch: Any) -> RealtimeError | None:
    """What a watch ends with; None where that is no error."""
    try:
        async for _ in watch:
            pass
    except RealtimeError as error:
        return error
    return None


@pytest.mark.parametrize("comes_back", [False, True], ids=["alone", "not restored"])
async def test_N10_after_the_end_every_pending_and_later_call_has_its_cause(
    comes_back: bool,
) -> None:
    policy = SimulatorPolicy(pace="realtime", mishaps=(None, Refuse(401, "expired")))
    options: dict[str, Any] = {} if comes_back else {"reconnect": None}
    brain = says("A long answer. " * 50)
    async with talking(policy, brain, **options) as (client, server, _), callers() as calls:
        response = await client.response.create()
        message = await anext(aiter(response))
        watches = {name: make(client) for name, make in WATCHES.items()}
        server.connections[0].stall(inf)
        for name, request in REQUESTS.items():
            calls.call(name, partial(request, client))
        for name, watch in watches.items():
            calls.call(f"watch {name}", partial(ending, watch))
        calls.call("done", response.done)
        calls.call("audio", lambda: ending(message.audio))
        calls.call("transcript", lambda: ending(message.transcript))
        calls.call("follow-up", response.follow_up)
        calls.call("cancel", response.cancel)
        await anyio.wait_all_tasks_blocked()
        server.connections[0].drop()
        for name in [*REQUESTS, "done", "audio", "transcript", "follow-up", "cancel"]:
            assert isinstance(await calls.outcome(name), ConnectionLost), name
        end = await failing(client.ready())
        assert isinstance(end, ReconnectFailed)
        told = (end,) if comes_back else (end, end.cause)
        for name in watches:
            assert await calls.outcome(f"watch {name}") in told, name
        with anyio.fail_after(2):
            for name, verb in VERBS.items():
                assert await failing(verb(client)) is end, name
            for name, make in WATCHES.items():
                with pytest.raises(ConnectionLost) as caught:
                    make(client)
                assert caught.value in told, name
        assert not client.is_connected
        assert client._connection is not None
        assert client._connection.audience.waiting == {}


# -- N12 --------------------------------------------------------------------------------------


async def test_N12_an_end_of_ones_own_is_clean() -> None:
    async with talking() as (client, server, _):
        watches = [make(client) for name, make in WATCHES.items() if name != "reports"]
        async with callers() as calls:
            sent = client.sent()
            server.connections[0].stall(inf, reads=False)
            for name in ("update", "retrieve", "text", "commit"):
                calls.call(name, partial(REQUESTS[name], client))
                await anext(sent)
            await client.aclose()
        assert {type(outcome) for outcome in calls.outcomes.values()} == {ClientClosed}
        assert len(calls.outcomes) == 4
        assert [await ending(watch) for watch in watches] == [None] * len(watches)
        assert type(await failing(client.send_text("x"))) is ClientClosed
        await until(lambda: server.connections[0].ended is not None)
        ended = server.connections[0].ended
        assert ended is not None
        assert ended.code == 1000


@pytest.mark.parametrize("code", [1000, 1001, 1011, None])
async def test_N12_a_connection_that_the_server_ends_is_lost_and_says_how(code: int | None) -> None:
    async with talking(reconnect=None) as (client, server, _):
        watches = [make(client) for make in WATCHES.values()]
        if code is None:
            server.connections[0].drop()
        else:
            server.connections[0].close(code, "so long")
        for watch in watches:
            error = await ending(watch)
            assert isinstance(error, ConnectionLost)
            assert error.close_code == code
            assert ("so long" in str(error)) is (code is not None)
            assert ("dropped" in str(error)) is (code is None)


async def test_N12_a_clean_close_of_the_server_is_no_end_of_the_session() -> None:
    async with talking() as (client, server, changes):
        server.connections[0].close(1000, "bye")
        lost = (await disconnected(changes)).error
        assert isinstance(lost, ConnectionLost)
        assert lost.close_code == 1000
        await reconnected(changes)
        await client.send_text("hello")


@pytest.mark.parametrize("how", ["leave", "raise", "cancel"])
async def test_N12_the_server_sees_a_clean_end_however_the_block_is_left(how: str) -> None:
    async with serve(FAST) as server:
        with anyio.CancelScope() as scope:
            try:
                async with Client(endpoint=server.url):
                    if how == "raise":
                        raise ZeroDivisionError
                    if how == "cancel":
                        scope.cancel()
                        await anyio.sleep_forever()
            except ZeroDivisionError:
                assert how == "raise"
        await until(lambda: server.connections[0].ended is not None)
        ended = server.connections[0].ended
        assert ended is not None
        assert ended.code == 1000
