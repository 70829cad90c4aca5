"""N8: a call that lasts ten hours, in which every hour a session ends. Its time is virtual.

Every word that is said is heard by some session, in its order, and
every word of the model arrives as sound; what the client keeps does not grow with the call.
"""

from __future__ import annotations

import gc

import anyio
import numpy as np
import pytest

from realtime_client import Client, TransportClosed
from realtime_client.changeover import Reconnected
from realtime_client.simulator import MemoryServer, SimulatedSession, SimulatorPolicy, sing
from tests.outages import URL
from tests.responding import heard
from tests.simulated import silence
from tests.test_audio_hours import memory
from tests.test_scenarios_config_callers import virtual

POLICY = SimulatorPolicy(pace="wire", keep_received=100)

MB = 1024 * 1024


def is_ours(thing: object) -> bool:
    """Whether something belongs to the client, and not to the server that it is tested with."""
    module: object = getattr(type(thing), "__module__", None)
    if not isinstance(module, str):  # what other libraries keep there
        return False
    return module.startswith("realtime_client.") and "simulator" not in module


class Call:
    """A call of so many hours, in which somebody says something `every` so many seconds.

    The microphone never stops, or `mutes` when nobody speaks.
    """

    def __init__(
        self, client: Client, server: MemoryServer, hours: float, every: int, *, mutes: bool
    ) -> None:
        self._client = client
        self._server = server
        self._end = anyio.current_time() + hours * 3_600
        self._every = every
        self._mutes = mutes
        self.changes: list[tuple[bool, int]] = []
        """Of each change: whether it was planned, and how much it has dropped."""
        self.said: list[str] = []
        self.understood: list[str | None] = []
        self.answered: list[tuple[str, str | None]] = []
        self.sizes: list[int] = []
        self.objects: list[int] = []

    async def hold(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch)
            tasks.start_soon(self._listen)
            while anyio.current_time() < self._end:
                await self._speak(f"turn {len(self.said)}")
            await anyio.sleep(30.0)
            tasks.cancel_scope.cancel()
        self._note(list(self._server.sessions)[-1])

    async def _speak(self, words: str) -> None:
        sung = np.concatenate([silence(300), sing(words)])
        rest = self._every * 24_000 - len(sung)
        self.said.append(words)
        for number, samples in enumerate((sung, *[silence(2_000)] * (rest // 48_000))):
            if number < 2 or not self._mutes:
                await self._client.send_audio(samples)
            await anyio.sleep(len(samples) / 24_000)

    async def _listen(self) -> None:
        async for response in self._client.responses():
            sound = await heard(response)
            self.answered.append((response.transcript, sound))

    async def _watch(self) -> None:
        async for change in self._client.connections():
            assert isinstance(change, Reconnected)
            self.changes.append((change.planned, change.dropped.stop - change.dropped.start))
            self._note(list(self._server.sessions)[-2])
            gc.collect()
            self.sizes.append(memory())
            self.objects.append(sum(map(is_ours, gc.get_objects())))

    def _note(self, session: SimulatedSession) -> None:
        """What a session that is over has understood."""
        self.understood += [turn.text for turn in session.hearing.heard]


async def call_of(hours: float, every: int, *, mutes: bool = False) -> Call:
    server = MemoryServer(POLICY, closed=TransportClosed, keep=2)
    async with Client(
        endpoint=URL,
        connect=server.connect,
        turn_detection={"type": "server_vad"},
        transcription={"model": "whisper-1"},
        max_items=100,
        reconnect=None,
    ) as client:
        call = Call(client, server, hours, every, mutes=mutes)
        await call.hold()
    assert call.understood == call.said
    said = [f"You said: {words}" for words in call.said]
    assert call.answered == [(words, words) for words in said]
    assert set(call.changes) == {(True, 0)}
    return call


@virtual
async def test_N8_a_call_of_two_hours_loses_no_word() -> None:
    call = await call_of(hours=2.0, every=100, mutes=True)
    assert len(call.changes) == 2
    assert len(call.said) > 70


@virtual
@pytest.mark.long
@pytest.mark.timeout(1_200)
async def test_N8_a_call_of_ten_hours_loses_no_word_and_does_not_grow() -> None:
    call = await call_of(hours=10.0, every=20)
    assert len(call.changes) == 10
    assert len(call.said) > 1_700
    # The first sessions fill what is bounded; from then on nothing is added.
    assert max(call.objects[2:]) - min(call.objects[2:]) < 50, call.objects
    assert call.sizes[-1] - call.sizes[2] < 6 * MB, [size // MB for size in call.sizes]
