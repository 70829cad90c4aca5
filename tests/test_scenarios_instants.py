"""A thousand interruptions at random instants, each truncated where the player really was.

The player counts for itself and knows nothing of the ledger. Time is virtual, so that "where it
was" is a number, and a telephone call takes no longer than its arithmetic.
"""

from __future__ import annotations

from typing import Any

import anyio
import numpy as np
import pytest

from realtime_client import Client
from realtime_client.response import Response
from realtime_client.simulator import SimulatorPolicy, sing
from tests.scenarios import in_memory, says
from tests.test_scenarios_config_callers import virtual
from tests.test_scenarios_interruption import (
    FIVE_SECONDS,
    both_ways,
    detection,
    left,
    settled,
    truncates,
)

CHUNK_MS = 20
LAW: dict[str, Any] = {"input_format": "audio/pcmu", "output_format": "audio/pcmu"}
TELEPHONE = 8  # bytes of µ-law in a millisecond


class Telephone:
    """A player with a count of its own: 20 ms at a time, said when each of them is over.

    It knows no messages and no ledger: bytes that it was given, and since when it plays.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting = bytearray()
        self._rings = anyio.Event()
        self._sounding = (0.0, 0)  # since when, how many bytes
        self._over = 0

    def write(self, data: bytes) -> None:
        self._waiting += data
        self._rings.set()

    def position(self, now: float) -> float:
        """Where it is, in milliseconds since the last stop, to the sample and beyond."""
        since, size = self._sounding
        return self._over / TELEPHONE + min((now - since) * 1000, size / TELEPHONE)

    def stop(self) -> None:
        self._waiting.clear()
        self._sounding, self._over = (0.0, 0), 0
        self._client.playback.count_from(0)

    async def run(self) -> None:
        while True:
            if not self._waiting:
                self._rings = anyio.Event()
                await self._rings.wait()
            chunk = bytes(self._waiting[: CHUNK_MS * TELEPHONE])
            del self._waiting[: len(chunk)]
            self._sounding = (anyio.current_time(), len(chunk))
            await anyio.sleep(len(chunk) / TELEPHONE / 1000)
            if self._sounding[1]:  # not stopped meanwhile
                self._over += len(chunk)
                self._sounding = (0.0, 0)
                self._client.playback.played(self._over / TELEPHONE)


async def feed(response: Response, phone: Telephone) -> None:
    """Hand all that a response says to the telephone, as it comes."""
    async for message in response:
        async for chunk in message.audio:
            phone.write(chunk)


async def interrupted_at(client: Client, phone: Telephone, seconds: float, how: str) -> None:
    """One response, interrupted after so long; checks the truncation against the player."""
    client.playback.played(0)
    response = await client.response.create()
    message = await anext(aiter(response))
    stops = client.playback.stops()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(feed, response, phone)
        await anyio.sleep(seconds)
        true_ms = phone.position(anyio.current_time())
        moment = anyio.current_time()
        if how == "by hand":
            await client.interrupt()
        else:
            await client.send_audio(sing("Oh!", 8_000), rate=8_000)
        stop = await anext(stops)
        assert anyio.current_time() == moment, "at once"
        phone.stop()
        await response.done()
    (cut,) = stop.truncations
    assert (cut.item_id, cut.is_estimate) == (message.id, False)
    assert true_ms - CHUNK_MS - 1 < cut.audio_end_ms <= true_ms + 1e-6
    await client.input_audio_buffer.clear()
    with anyio.fail_after(1):
        while (message.id, 0) not in client.conversation.truncations:
            await settled(client)
    assert client.conversation.truncations[message.id, 0] == cut.audio_end_ms
    assert FIVE_SECONDS.startswith(client.conversation.interrupted[message.id, 0].heard)


@virtual
@both_ways
@pytest.mark.parametrize("pace", ["fast", "wire"])
async def test_a_thousand_instants(how: str, pace: Any, anyio_backend_name: str) -> None:
    """125 of them here: two backends, two ways, two paces."""
    seed = [*how.encode(), *pace.encode(), *anyio_backend_name.encode()]
    instants = np.random.default_rng(seed).uniform(0.0, 4.9, 125)
    policy = SimulatorPolicy(pace=pace)
    async with in_memory(policy, says(FIVE_SECONDS), **LAW, **detection(how)) as (client, session):
        phone = Telephone(client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(phone.run)
            for seconds in instants:
                await interrupted_at(client, phone, float(seconds), how)
                (item,) = [one.id for one in session.conversation.entries]
                assert left(session, item) == client.conversation.truncations[item, 0]
                await client.conversation.item.delete(item)
            tasks.cancel_scope.cancel()
        assert len(truncates(session)) == len(instants)
