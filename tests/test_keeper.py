"""The keeper's own manners: how long it waits, and when it stops trying."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from realtime_client import Client
from realtime_client.changeover import Disconnected, Reconnected
from realtime_client.errors import ReconnectFailed
from realtime_client.reconnect import Reconnect
from realtime_client.simulator import Refuse, SimulatorPolicy, serve

SOON = Reconnect(first=0.0)


async def test_a_server_that_asks_to_be_left_alone_is_left_alone() -> None:
    asked = 0.2
    busy = Refuse(503, headers=(("Retry-After", str(asked)),))
    async with (
        serve(SimulatorPolicy(mishaps=(None, busy))) as server,
        Client(endpoint=server.url, reconnect=SOON) as client,
    ):
        changes = client.connections()
        server.connections[-1].drop()
        lost, back = await anext(changes), await anext(changes)
    assert isinstance(lost, Disconnected)
    assert isinstance(back, Reconnected)
    assert back.tries == 2
    assert back.seconds >= asked


async def test_a_wish_beyond_the_time_for_reconnecting_is_not_waited_for() -> None:
    busy = Refuse(503, headers=(("Retry-After", "3600"),))
    async with (
        serve(SimulatorPolicy(mishaps=(None, busy))) as server,
        Client(endpoint=server.url, reconnect=SOON) as client,
    ):
        server.connections[-1].drop()
        error = await gone(client)
    assert error.tries == 1
    assert len(server.handshakes) == 2


async def gone(client: Client) -> ReconnectFailed:
    while True:
        try:
            await client.ready()
        except ReconnectFailed as error:
            return error
        await anyio.lowlevel.checkpoint()
