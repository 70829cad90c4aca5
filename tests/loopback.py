"""What is played is recorded: a program that a test runs beside a sound server of its own.

It plays a sung text through `Speaker`, records the room with `Microphone`, and prints what it
heard, as JSON. In a process of its own, because the sound library looks for devices once.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

import anyio
import numpy as np

from realtime_client.devices import Microphone, Speaker
from realtime_client.simulator import listen, sing


@dataclass
class Result:
    words: str | None = None
    played_ms: float = 0.0
    progress: float = 0.0
    flushed_at_ms: float = 0.0
    flush_took_ms: float = 0.0
    sounded_ms: float = 0.0
    words_before_flush: str | None = None
    words_after_flush: str | None = None
    dropped_ms: float = 0.0
    level_db: float = -96.0


class Room:
    """Everything that the microphone has heard since the last `clear`."""

    def __init__(self, mic: Microphone, result: Result) -> None:
        self._mic = mic
        self._result = result
        self.heard = bytearray()

    async def record(self) -> None:
        async for chunk in self._mic:
            self.heard += chunk
            self._result.level_db = max(self._result.level_db, self._mic.level_db)

    def words(self) -> str | None:
        return listen(self._samples(), self._mic.rate).text

    def sounded_ms(self) -> float:
        loud = np.flatnonzero(np.abs(self._samples()) > 300)
        return float(loud[-1] - loud[0]) * 1000 / self._mic.rate if len(loud) else 0.0

    async def until(self, text: str) -> str | None:
        deadline = anyio.current_time() + 5
        # Nothing tells what the room sounds like but listening to all of it, now and then.
        while self.words() != text and anyio.current_time() < deadline:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        return self.words()

    async def quiet(self) -> None:
        """Until what has sounded must have arrived."""
        await anyio.sleep(0.4)

    def _samples(self) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        return np.frombuffer(bytes(self.heard), np.int16)


async def main(rate: int) -> None:
    result = Result()
    async with (
        Microphone(device=sys.argv[3]) as mic,
        Speaker(rate=rate, device=sys.argv[3]) as speaker,
        anyio.create_task_group() as tasks,
    ):
        room = Room(mic, result)
        tasks.start_soon(room.record)
        await anyio.sleep(0.2)

        async def watch() -> None:
            async for ms in speaker.progress():
                result.progress = ms

        tasks.start_soon(watch)
        await speaker.write(sing("hello", rate).tobytes())
        await speaker.drain()
        result.played_ms = speaker.played_ms
        result.words = await room.until("hello")

        room.heard.clear()
        before = speaker.played_ms
        with anyio.move_on_after(0.9):
            await speaker.write(sing("abcdefghijklmnopqrstuvwxyz" * 2, rate).tobytes())
        start = anyio.current_time()
        result.flushed_at_ms = speaker.flush() - before
        result.flush_took_ms = (anyio.current_time() - start) * 1000
        await room.quiet()
        result.sounded_ms = room.sounded_ms()
        result.words_before_flush = room.words()

        room.heard.clear()
        await speaker.write(sing("again", rate).tobytes())
        result.words_after_flush = await room.until("again")
        result.dropped_ms = mic.dropped_ms
        tasks.cancel_scope.cancel()
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[2]), backend=sys.argv[1])
